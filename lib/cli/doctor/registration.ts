import { type Examination, type TryOut, text } from './examination.js'
import { either, error, type Finding, ok, warning } from './finding.js'
import { said } from './machine.js'
import { isSilence } from './probe.js'

const REDIRECT_URI = 'http://127.0.0.1/doctor'

/** How strangers are received (RFC 7591). Nothing is registered. */
export async function checkRegistration(examination: Examination): Promise<readonly Finding[]> {
  const url = text(examination, 'registration_endpoint')
  if (url === undefined)
    return [
      ok(
        'registration',
        examination.metadata.client_id_metadata_document_supported === true
          ? 'Clients come with a URL as their id'
          : 'Clients are registered by the host alone',
      ),
    ]
  const answer = await examination.probe.postJson(url, { redirect_uris: ['javascript:alert(1)'] })
  if (isSilence(answer)) return [error('registration', `${url}: ${answer.message}.`, 'Let clients reach it.')]
  const { status, json } = answer
  if (status === 401) return [ok('registration', 'Only who has an initial access token may register')]
  return [
    either(
      status === 400 && json?.error === 'invalid_redirect_uri',
      ok('registration', 'Clients may register themselves, and a dangerous redirect URI is refused'),
      error(
        'registration',
        `A registration with a javascript: redirect URI gets ${said(answer)} at ${url}.`,
        status === 403
          ? 'A middleware refuses it: mount the provider before csurf.'
          : 'It should be 400 invalid_redirect_uri: let JSON arrive as it was sent.',
      ),
    ),
  ]
}

/** Registers a client for as long as `use` takes. */
export async function withRegisteredClient(
  examination: Examination,
  use: (client: TryOut) => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const url = text(examination, 'registration_endpoint')
  if (url === undefined)
    return [
      warning(
        'registration',
        'There is no registration_endpoint, so no client can be registered.',
        'Name one of yours: --client and --redirect-uri.',
      ),
    ]
  const answer = await examination.probe.postJson(url, {
    client_name: `Doctor ${new Date(examination.now).toISOString()}`,
    redirect_uris: [REDIRECT_URI],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  })
  const id = isSilence(answer) ? undefined : answer.json?.client_id
  if (isSilence(answer) || answer.status !== 201 || typeof id !== 'string') {
    return [
      error(
        'registration',
        `A native client that registers itself gets ${said(answer)}.`,
        'Its error_description says what to change; MCP clients register like this.',
      ),
    ]
  }
  const findings = [
    ok('registration', 'A client has registered itself'),
    ...(await use({ clientId: id, redirectUri: REDIRECT_URI })),
  ]
  return [...findings, await removed(examination, answer.json ?? {})]
}

async function removed(
  { probe }: Examination,
  { registration_client_uri: uri, registration_access_token: token }: Readonly<Record<string, unknown>>,
): Promise<Finding> {
  const left = warning(
    'registration',
    'The client of this examination stays, since it may not delete itself.',
    'It is forgotten after a day without a token.',
  )
  if (typeof uri !== 'string' || typeof token !== 'string') return left
  const answer = await probe.send(uri, { method: 'DELETE', headers: { Authorization: `Bearer ${token}` } })
  return either(
    !isSilence(answer) && answer.status === 204,
    ok('registration', 'It has deleted itself again'),
    left,
  )
}
