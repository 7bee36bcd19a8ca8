import express from 'express'
import type { ClientMetadata } from '../../lib/index.js'
import type { Store } from '../../lib/store/store.js'
import { type Agent, inputValue } from '../support/agent.js'
import { clients } from '../support/clients.js'
import { fetch } from '../support/fetch.js'
import { basic, callApi, getCode, getTokens, signedIn, toConsent } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'
import { AUTHORIZATION_REQUEST } from './scenarios.js'
import type { Known } from './values.js'

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const CLIENTS: readonly ClientMetadata[] = [
  ...clients,
  { client_id: 'tv', token_endpoint_auth_method: 'none', grant_types: [DEVICE, 'refresh_token'] },
  {
    ...{ client_id: 'worker', client_secret: 'worker-secret', scope: 'read' },
    grant_types: [
      'urn:ietf:params:oauth:grant-type:token-exchange',
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
    ],
  },
]

/** A host with everything turned on, and what somebody knows who uses it. */
export interface Target {
  readonly host: Host
  readonly known: Known
  /** Whether the tokens that it knows are as good as they were. */
  isAlive(): Promise<boolean>
  close(): Promise<void>
}

/** `parsers`: whether the host parses bodies before the provider does. */
export async function startTarget({
  parsers = false,
  store,
}: {
  parsers?: boolean
  store?: Store
} = {}): Promise<Target> {
  const host = await startHost({
    provider: {
      clients: CLIENTS,
      ...(store !== undefined && { store }),
      applications: () => true,
      admin: () => true,
      registration: { allow: 'open', perMinute: 1_000_000, management: true },
      authorizationDetails: {
        payment: {
          schema: { properties: { amount: { type: 'string' } }, required: ['amount'] },
          description: ({ amount }) => `Pay ${amount}`,
        },
      },
      tokenExchange: () => false,
      trustedIssuers: { 'https://staff.example': { jwks: { keys: [PUBLIC_KEY] }, user: ({ sub }) => sub } },
      mtls: { clientCertificateHeader: 'x-client-cert' },
    },
    ...(parsers && {
      before: (app) => app.use(express.json({ strict: false }), express.urlencoded({ extended: true })),
    }),
  })
  // What a host answers that parses bodies itself, and cannot.
  host.app.use(((error, _req, res, next) => {
    if (error.status >= 400 && error.status < 500) res.status(error.status).end()
    else next(error)
  }) as express.ErrorRequestHandler)
  const alice = await signedIn(host, 'alice')
  const known = await learn(host, alice)
  return {
    ...{ host, known },
    isAlive: async () => (await callApi(host, '/api/read', known.access_token)).status === 200,
    close: () => host.close(),
  }
}

const PUBLIC_KEY = {
  kty: 'OKP',
  crv: 'Ed25519',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  kid: 'staff',
}

async function learn(host: Host, alice: Agent): Promise<Known> {
  const { access_token, refresh_token, id_token } = await getTokens(host, {
    ...{ agent: alice, client: 'pub' },
    params: { scope: 'openid read' },
  })
  // Of another client than the one that asks with it.
  const { code } = await getCode(host, { agent: alice, client: 'pub', params: { prompt: 'consent' } })
  const { page } = await toConsent(host, {
    agent: alice,
    params: { scope: 'openid read', prompt: 'consent' },
  })
  const conf = { authorization: basic('conf', 'conf-secret') }
  const pushed = await post(host, '/par', new URLSearchParams(AUTHORIZATION_REQUEST), conf)
  const device = await post(
    host,
    '/device_authorization',
    new URLSearchParams({ client_id: 'tv', scope: 'read' }),
  )
  const metadata = JSON.stringify({ client_name: 'R', redirect_uris: ['https://rp.example/cb'] })
  const registered = await post(host, '/register', metadata, { 'content-type': 'application/json' })
  return {
    ...{
      origin: host.origin,
      issuer: host.issuer,
      access_token,
      refresh_token,
      id_token: String(id_token),
      code,
    },
    consent: new URL(page.url).pathname.split('/').at(-1) ?? '',
    csrf: inputValue(page, '_csrf'),
    cookies: [...alice.cookies].map(([name, { value }]) => `${name}=${value}`).join('; '),
    request_uri: String(pushed.request_uri),
    user_code: String(device.user_code),
    device_code: String(device.device_code),
    registered: String(registered.client_id),
    registration_token: String(registered.registration_access_token),
    ...(await makeApplication(host, alice)),
  }
}

async function makeApplication(host: Host, alice: Agent): Promise<{ application: string; form: string }> {
  const url = `${host.issuer}/applications/new`
  const empty = await alice.get(url)
  const form = inputValue(empty, 'form')
  const made = await alice.post(url, {
    ...{ _csrf: inputValue(empty, '_csrf'), form, type: 'web', client_name: 'Mine', scope: 'read' },
    redirect_uris: 'https://mine.example/cb',
  })
  const [mine] = await host.oauth.clients.list({ ownerId: 'alice' })
  if (mine === undefined) throw new Error(`no application: ${made.status}`)
  return { application: mine.client_id, form }
}

async function post(
  host: Host,
  path: string,
  body: URLSearchParams | string,
  headers: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const response = await fetch(host.issuer + path, { method: 'POST', body, headers })
  return (await response.json()) as Record<string, unknown>
}
