import { createPrivateKey, sign } from 'node:crypto'
import express from 'express'
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import type { ClientMetadata, HostRequest } from '../../lib/index.js'
import type { Agent, Form, Page } from './agent.js'
import { clients } from './clients.js'
import { fetch } from './fetch.js'
import {
  authorizeUrl,
  decide,
  destination,
  type FlowOptions,
  getTokens,
  redeem,
  signedIn,
  type TokenResponse,
} from './flow.js'
import { type Host, type HostOptions, startHost, type User } from './host.js'
import { signingKeys } from './signing-keys.js'

/** A confidential client with the redirect URI of most. */
export function relyingParty(client_id: string, more: ClientMetadata = {}): ClientMetadata {
  return {
    client_id,
    client_secret: `${client_id}-secret`,
    redirect_uris: ['https://rp.example/cb'],
    ...more,
  }
}

/** The clients of CHECKS' fixtures, and those that OpenID Connect has a reason for. */
export const relyingParties: readonly ClientMetadata[] = [
  ...clients,
  relyingParty('es256', { id_token_signed_response_alg: 'ES256' }),
  relyingParty('eddsa', { id_token_signed_response_alg: 'EdDSA' }),
  relyingParty('signed-rs256', { userinfo_signed_response_alg: 'RS256' }),
  relyingParty('signed-es256', { userinfo_signed_response_alg: 'ES256' }),
  relyingParty('signed-eddsa', { userinfo_signed_response_alg: 'EdDSA' }),
  relyingParty('full', { id_token_claims: 'scopes' }),
  relyingParty('lean', { id_token_claims: 'minimal' }),
  relyingParty('no-profile', { scope: 'openid email read' }),
  relyingParty('aged', { default_max_age: 100 }),
  relyingParty('timed', { require_auth_time: true }),
  relyingParty('pair', { subject_type: 'pairwise' }),
  relyingParty('pair-twin', { subject_type: 'pairwise', redirect_uris: ['https://rp.example/other'] }),
  relyingParty('pair-other', { subject_type: 'pairwise', redirect_uris: ['https://other.example/cb'] }),
]

interface Login {
  readonly userId?: string
  readonly signedInAt?: number
  readonly acr?: string
  readonly amr?: readonly string[]
}

export function loginOf(req: HostRequest): Login {
  return (req.session ?? {}) as Login
}

/** A host whose login notes when, and how, somebody signs in, and which knows all relying parties. */
export async function startOpenIdHost({
  provider,
  ...more
}: HostOptions & { readonly provider?: Partial<Parameters<typeof withLogin>[0]> } = {}): Promise<Host> {
  const host: Host = await startHost({
    ...more,
    provider: withLogin(provider ?? {}),
    before: (app) => {
      more.before?.(app)
      app.post('/login', express.urlencoded({ extended: false }), (req, res, next) => {
        const { user, acr, amr, return_to: returnTo = '/' } = req.body
        req.session.regenerate((error) => {
          if (error) return next(error)
          const login: Login = { userId: user, signedInAt: host.now(), acr, amr: amr?.split(' ') }
          Object.assign(req.session, login)
          res.redirect(303, returnTo)
        })
      })
    },
  })
  return host
}

function withLogin(provider: Exclude<HostOptions['provider'], ((origin: string) => unknown) | undefined>) {
  return {
    clients: relyingParties,
    pairwiseSalt: 'a salt of thirty-two characters!',
    authTime: (req: HostRequest) => {
      const { signedInAt } = loginOf(req)
      return signedInAt === undefined ? undefined : new Date(signedInAt)
    },
    authContext: (req: HostRequest) => {
      const { acr, amr } = loginOf(req)
      return { acr, amr }
    },
    ...provider,
  }
}

/** What a user object may hold beside what every test user has. */
export function setUser(host: Host, id: string, members: object): void {
  host.users.set(id, { id, ...members } as unknown as User)
}

/** Where the browser has come to. */
export function stage(host: Host, page: Page): 'login' | 'consent' | 'callback' | 'error page' {
  if (page.url.startsWith(`${host.origin}/login?`)) return 'login'
  if (page.text.includes('name="decision"')) return 'consent'
  return page.status === 303 || page.text.includes('http-equiv="refresh"') ? 'callback' : 'error page'
}

/** The members of an authorization response, however it travels. */
export function responseOf(page: Page): Record<string, string> {
  return Object.fromEntries(destination(page).searchParams)
}

/** Signs in at the host's login page, where a request has led, and goes on. */
export async function signInAt(agent: Agent, page: Page, user: string, form: Form = {}): Promise<Page> {
  const returnTo = new URL(page.url).searchParams.get('return_to') ?? ''
  const answer = await agent.post('/login', { user, return_to: returnTo, ...form })
  return agent.follow(answer.location ?? '')
}

/** Goes back from the login page without signing in. */
export function cancelLogin(agent: Agent, page: Page): Promise<Page> {
  return agent.follow(new URL(page.url).searchParams.get('return_to') ?? '')
}

export interface SignIn {
  readonly tokens: TokenResponse['body'] & { id_token: string }
  readonly claims: JWTPayload
  readonly agent: Agent
}

/** The whole flow with the scope `openid`, to a verified ID token. */
export async function signIn(host: Host, options: FlowOptions = {}): Promise<SignIn> {
  const agent = options.agent ?? (await signedIn(host, options.user ?? 'alice'))
  const page = await agent.follow(authorizeUrl(host, { ...options, params: withOpenId(options.params) }))
  return finish(host, agent, page, options)
}

export function withOpenId(params: Form = {}): Form {
  return { scope: 'openid', ...params }
}

/** From a consent page, or from the answer itself, to a verified ID token. */
export async function finish(
  host: Host,
  agent: Agent,
  page: Page,
  { client = 'conf', params = {} }: FlowOptions = {},
): Promise<SignIn> {
  const answer = stage(host, page) === 'consent' ? await decide(agent, page, 'approve') : page
  const { code, ...refused } = responseOf(answer)
  if (code === undefined) throw new Error(`no code: ${JSON.stringify(refused)}`)
  const redirectUri = params.redirect_uri
  const form = {
    ...(typeof redirectUri === 'string' && { redirect_uri: redirectUri }),
    ...('code_challenge' in params && { code_verifier: undefined }),
  }
  const { status, body } = await redeem(host, code, { client, form })
  if (status !== 200) throw new Error(`no tokens: ${status} ${JSON.stringify(body)}`)
  const tokens = body as SignIn['tokens']
  return { tokens, claims: await idTokenClaims(host, tokens.id_token, client), agent }
}

/** An access token with these scopes. */
export async function accessToken(host: Host, scope: string, options: FlowOptions = {}): Promise<string> {
  const tokens = await getTokens(host, { ...options, params: { ...options.params, scope } })
  return tokens.access_token
}

/** Verifies a JWT as a relying party does (OpenID Connect Core §3.1.3.7): by the JWK Set, the issuer, its own name, and the clock. */
export async function verifyJwt(host: Host, jwt: string, client: string) {
  const keys = (await (await fetch(`${host.issuer}/jwks`)).json()) as JSONWebKeySet
  return jwtVerify(jwt, createLocalJWKSet(keys), {
    issuer: host.issuer,
    audience: client,
    currentDate: new Date(host.now()),
  })
}

export async function idTokenClaims(host: Host, idToken: string, client = 'conf'): Promise<JWTPayload> {
  const { payload, protectedHeader } = await verifyJwt(host, idToken, client)
  expect(protectedHeader.typ).toBe('JWT')
  return payload
}

export interface UserinfoAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Record<string, unknown>
}

export async function userinfo(host: Host, token?: string, init: RequestInit = {}): Promise<UserinfoAnswer> {
  const headers = new Headers(init.headers)
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
  const response = await fetch(`${host.issuer}/userinfo`, { ...init, headers })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : {},
  }
}

/** What the userinfo endpoint says to somebody who signed in with this request. */
export async function claimsAt(host: Host, options: FlowOptions = {}): Promise<Record<string, unknown>> {
  const { tokens } = await signIn(host, options)
  const { status, body } = await userinfo(host, tokens.access_token)
  expect(status).toBe(200)
  return body
}

/** A JWT that the provider's own RS256 key signed, whatever it says: what the provider would never issue. */
export function forge(
  header: object,
  payload: object | string,
  key = createPrivateKey({ key: signingKeys[0] as never, format: 'jwk' }),
): string {
  const segments = [JSON.stringify(header), typeof payload === 'string' ? payload : JSON.stringify(payload)]
  const input = segments.map((segment) => Buffer.from(segment).toString('base64url')).join('.')
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
}

export const OWN_HEADER = { alg: 'RS256', typ: 'JWT', kid: 'test-RS256' }

/** The parameters of a logout request (RP-Initiated Logout §2). */
export const LOGOUT_PARAMETERS = [
  'id_token_hint',
  'client_id',
  'post_logout_redirect_uri',
  'state',
  'logout_hint',
  'ui_locales',
] as const
