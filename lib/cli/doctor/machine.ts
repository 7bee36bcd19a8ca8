import { type Examination, text, texts } from './examination.js'
import { either, error, type Finding, ok, warning } from './finding.js'
import { type Answer, isSilence, type Silence } from './probe.js'

const BEFORE_OTHERS =
  'Mount the provider between the session and them: app.use(path, oauth), then the others.'
/** Seconds by which two clocks may differ before proofs and tokens fail. */
const MOST_SKEW = 30

/** What the token endpoint says to clients that do something wrong: the right error says that their requests arrive as they were sent. */
export async function checkToken(examination: Examination): Promise<readonly Finding[]> {
  const { probe } = examination
  const url = text(examination, 'token_endpoint')
  if (url === undefined)
    return [
      error('token', 'The metadata names no token_endpoint.', 'Serve the metadata as the provider makes it.'),
    ]
  const form = { grant_type: 'authorization_code', code: 'none', client_id: 'the-doctor-is-no-client' }
  const [unknown, without, got] = await Promise.all([
    probe.post(url, form),
    probe.post(url, {}),
    probe.get(url),
  ])
  const broken = swallowed(url, unknown, without)
  if (broken !== undefined) return [broken]
  const answer = unknown as Answer
  return [
    either(
      answer.status === 401 && answer.json?.error === 'invalid_client',
      ok('token', 'A client that is not known gets 401 invalid_client, and registers anew'),
      error(
        'token',
        `A client that is not known gets ${said(answer)} at ${url}.`,
        'Clients register anew on 401 invalid_client only: let nothing answer before the provider.',
      ),
    ),
    either(
      /no-store/.test(answer.headers.get('cache-control') ?? ''),
      ok('token', 'Answers of the token endpoint are kept by no cache'),
      error(
        'token',
        `${url} does not say Cache-Control: no-store.`,
        'Let nothing, a CDN included, rewrite the headers of the provider.',
      ),
    ),
    either(
      !isSilence(got) && got.status === 405,
      ok('token', 'The token endpoint takes POST only'),
      warning('token', `GET ${url} gets ${said(got)}.`, 'It should be 405.'),
    ),
  ]
}

/** What middleware of the host makes of a form that it should not have seen. */
function swallowed(url: string, answer: Answer | Silence, empty: Answer | Silence): Finding | undefined {
  if (isSilence(answer))
    return answer.failure === 'timeout'
      ? error(
          'body-parser',
          `${url} does not answer a form.`,
          `A middleware has read the body and lost it. ${BEFORE_OTHERS}`,
        )
      : error('token', `${url}: ${answer.message}.`, 'Let it be reached from where clients are.')
  const { status, text, json } = answer
  if (status === 403 && /csrf/i.test(text))
    return error(
      'csrf',
      `A CSRF middleware refuses POST ${url}.`,
      `Clients have no token of yours, and the provider guards its own forms. ${BEFORE_OTHERS}`,
    )
  if (status === 404)
    return error(
      'mount',
      `${url} is not there.`,
      'Mount the router at the path of the issuer; behind a proxy that strips the path, at what is left of it.',
    )
  if (status >= 300 && status < 400)
    return error(
      'token',
      `POST ${url} redirects to ${answer.headers.get('location')}.`,
      'Take the routes of the provider out of the login wall, and of redirects to another host or to https.',
    )
  if (status >= 500)
    return error(
      'token',
      `POST ${url} answers ${status}.`,
      'Look into the log of the app: the event server.error says why.',
    )
  if (json === undefined)
    return error(
      'token',
      `${url} answers ${status} without JSON.`,
      `Something of the app answers for the provider. ${BEFORE_OTHERS}`,
    )
  // What is said of a client that is not known is not what is said of none, unless the form was lost.
  if (/read by another middleware/.test(text) || (!isSilence(empty) && empty.text === text))
    return error(
      'body-parser',
      `The form that was posted to ${url} did not arrive.`,
      `A body parser has read it and made something else of it. ${BEFORE_OTHERS}`,
    )
  return undefined
}

/** An answer in a sentence about what somebody gets. */
export function said(answer: Answer | Silence): string {
  if (isSilence(answer)) return `no answer (${answer.message})`
  const { status, json } = answer
  return typeof json?.error === 'string' ? `${status} ${json.error}` : `${status}`
}

/** PKCE, `iss`, keys and clocks: what clients refuse to go on without. */
export async function checkSecurity(examination: Examination): Promise<readonly Finding[]> {
  const methods = texts(examination, 'code_challenge_methods_supported')
  return [
    either(
      methods.includes('S256'),
      ok('pkce', 'PKCE with S256 is announced'),
      error(
        'pkce',
        'The metadata does not announce PKCE with S256.',
        'MCP clients stop here: serve code_challenge_methods_supported as the provider makes it.',
      ),
    ),
    ...(methods.includes('plain')
      ? [error('pkce', 'PKCE with plain is announced.', 'It protects from nothing: allow S256 only.')]
      : []),
    either(
      examination.metadata.authorization_response_iss_parameter_supported === true,
      ok('iss', 'Answers say which server they are from (RFC 9207)'),
      warning(
        'iss',
        'Answers do not say which server they are from.',
        'Serve the metadata as the provider makes it.',
      ),
    ),
    ...clock(examination),
    ...(await keys(examination)),
  ]
}

function clock({ document, now }: Examination): readonly Finding[] {
  const date = Date.parse(document.headers.get('date') ?? '')
  const seconds = Math.abs(Math.round((date - now) / 1000))
  if (!(seconds > MOST_SKEW)) return []
  return [
    warning(
      'clock',
      `The clock of the server and that of this computer differ by ${seconds} seconds.`,
      'Set the wrong one: proofs and assertions are good for a minute only.',
    ),
  ]
}

async function keys(examination: Examination): Promise<readonly Finding[]> {
  const url = text(examination, 'jwks_uri')
  if (url === undefined) return []
  const answer = await examination.probe.get(url)
  const list = isSilence(answer) ? undefined : answer.json?.keys
  if (!Array.isArray(list) || list.length === 0)
    return [
      error('keys', `There are no keys at ${url}.`, 'Let it be reached: clients check signatures with them.'),
    ]
  const isPrivate = list.some((key) => ['d', 'p', 'q', 'k'].some((part) => Object.hasOwn(Object(key), part)))
  return [
    either(
      !isPrivate,
      ok('keys', `${list.length} public keys are published`),
      error(
        'keys',
        `${url} has a private key.`,
        'Take it away at once, and rotate: npx express-oauth-provider keys rotate.',
      ),
    ),
  ]
}
