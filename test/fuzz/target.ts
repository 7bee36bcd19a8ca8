import express from 'express'
import type { ClientMetadata, OAuthProviderOptions } from '../../lib/index.js'
import { type Agent, inputValue, type Page } from '../support/agent.js'
import { clients } from '../support/clients.js'
import { callProven } from '../support/dpop.js'
import { codeFor, fapi2, pushedAs, tokensFor } from '../support/fapi2.js'
import { fetch } from '../support/fetch.js'
import { basic, callApi, getCode, getTokens, signedIn, toConsent } from '../support/flow.js'
import { type Host, startHost, type User } from '../support/host.js'
import { visitUrl } from '../support/pushed.js'
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

/** `parsers`: whether the host parses bodies before the provider does. `more`: options of its provider beside everything. */
export async function startTarget({
  parsers = false,
  more = {},
  known = {},
}: {
  parsers?: boolean
  more?: Partial<OAuthProviderOptions<User>>
  known?: Known
} = {}): Promise<Target> {
  const host = await startWithAll({ clients: CLIENTS, applications: () => true, ...more }, parsers)
  const alice = await signedIn(host, 'alice')
  return targetOf(host, { ...(await learn(host, alice)), ...known })
}

/** The same under the profile FAPI 2.0: its clients have keys, push what they ask for, and bind their tokens. */
export async function startProfiled(): Promise<Target> {
  const pkj = clients.filter(({ client_id }) => client_id === 'pkj')
  const host = await startWithAll({ ...fapi2, clients: [...(fapi2.clients ?? []), ...pkj] }, false)
  const alice = await signedIn(host, 'alice')
  const { access_token, refresh_token, id_token } = await tokensFor(host, alice, {
    params: { scope: 'openid read' },
  })
  const code = await codeFor(host, alice, { params: { prompt: 'consent' } })
  const request_uri = await pushedAs(host, { client: 'one', params: { scope: 'read write' } })
  const page = await alice.follow(visitUrl(host, request_uri, { client: 'one' }))
  const atApi = () => callProven(host, '/api/read', access_token)
  return {
    ...targetOf(host, {
      ...known(host, alice, page),
      ...{ access_token, refresh_token, id_token: String(id_token), code },
      request_uri: await pushedAs(host),
    }),
    isAlive: async () => (await atApi()).status === 200,
  }
}

function targetOf(host: Host, known: Known): Target {
  const { access_token } = known
  return {
    ...{ host, known },
    isAlive: async () => (await callApi(host, '/api/read', access_token)).status === 200,
    close: () => host.close(),
  }
}

async function startWithAll(more: Partial<OAuthProviderOptions<User>>, parsers: boolean): Promise<Host> {
  const host = await startHost({
    provider: {
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
      ...more,
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
  return host
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
    ...{ access_token, refresh_token, id_token: String(id_token), code },
    ...known(host, alice, page),
    request_uri: String(pushed.request_uri),
    user_code: String(device.user_code),
    device_code: String(device.device_code),
    registered: String(registered.client_id),
    registration_token: String(registered.registration_access_token),
    ...(await makeApplication(host, alice)),
  }
}

/** What who sees a consent page knows. */
function known({ origin, issuer }: Host, alice: Agent, page: Page): Known {
  return {
    ...{ origin, issuer, csrf: inputValue(page, '_csrf') },
    consent: new URL(page.url).pathname.split('/').at(-1) ?? '',
    cookies: [...alice.cookies].map(([name, { value }]) => `${name}=${value}`).join('; '),
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
