import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { ClientMetadata, OAuthProviderOptions } from '../../lib/index.js'
import type { Agent, Form, Page } from './agent.js'
import { assertion, withAssertion } from './assertions.js'
import { type ProofOptions, proof } from './dpop.js'
import { decide, destination, type TokenResponse, VERIFIER } from './flow.js'
import type { Host, User } from './host.js'
import { push, uriOf, visitUrl } from './pushed.js'
import { rsaKey } from './rsa-keys.js'
import { type RawAnswer, send } from './token-endpoint.js'

type Provider = Partial<OAuthProviderOptions<User>>

export const REDIRECT_URI = 'https://rp.example/cb'

interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** The keys of the clients, by id. */
export const keys: Readonly<Record<string, Pair & { readonly alg: string }>> = {
  one: { alg: 'ES256', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
  two: { alg: 'EdDSA', ...generateKeyPairSync('ed25519') },
  rsa: { alg: 'PS256', ...rsaKey(2) },
}

export function keyed(id: string, more: ClientMetadata = {}): ClientMetadata {
  const { publicKey } = keys[id] ?? keys.one!
  return {
    client_id: id,
    client_name: `Client ${id}`,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }) }] },
    redirect_uris: [REDIRECT_URI],
    ...more,
  }
}

/** What a host needs for the profile and nothing more. */
export const fapi2: Provider = { profile: 'fapi2', clients: Object.keys(keys).map((id) => keyed(id)) }

interface Signing {
  readonly client?: string
  /** Whose key signs, if not the client's own. */
  readonly by?: string
  readonly alg?: string
  /** Added to, or replacing, the claims of the assertion. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** The form members by which a client proves itself. */
export function proven(host: Host, { client = 'one', by = client, alg, claims = {} }: Signing = {}): Form {
  const { privateKey, alg: usual } = keys[by] ?? keys.one!
  return withAssertion(assertion(host, { client, signer: privateKey, header: { alg: alg ?? usual }, claims }))
}

export interface Asking extends Signing {
  /** Added to, or replacing, the parameters of the authorization request; undefined leaves one out. */
  readonly params?: Form
  readonly headers?: Record<string, string>
}

/** Pushes an authorization request that is right in every respect, but for what the options change. */
export function pushAs(
  host: Host,
  { params = {}, headers = {}, ...signing }: Asking = {},
): Promise<RawAnswer> {
  const { client = 'one' } = signing
  const standing = { redirect_uri: REDIRECT_URI, ...params }
  return push(host, {
    client,
    params: standing,
    headers,
    proof: { headers: {}, form: proven(host, signing) },
  })
}

export async function pushedAs(host: Host, asking: Asking = {}): Promise<string> {
  return uriOf(await pushAs(host, asking))
}

/** Where the browser of a user who agrees ends. */
export async function visit(
  host: Host,
  agent: Agent,
  request_uri: string,
  { client = 'one', params = {} }: Pick<Asking, 'client' | 'params'> = {},
): Promise<Page> {
  const page = await agent.follow(visitUrl(host, request_uri, { client, params }))
  return page.text.includes('name="decision"') ? decide(agent, page, 'approve') : page
}

/** The whole way to a code. */
export async function codeFor(host: Host, agent: Agent, asking: Asking = {}): Promise<string> {
  const page = await visit(host, agent, await pushedAs(host, asking), { client: asking.client ?? 'one' })
  return destination(page).searchParams.get('code') ?? ''
}

export interface Redeeming extends Signing {
  readonly form?: Form
  /** `false`: without a proof. */
  readonly dpop?: ProofOptions | false
}

/** Posts to the token endpoint as this client, with a DPoP proof. */
export async function postAs(
  host: Host,
  { form = {}, dpop = {}, ...signing }: Redeeming,
): Promise<TokenResponse & RawAnswer> {
  const given = Object.entries({ ...proven(host, signing), ...form })
  const body = new URLSearchParams(given.filter(([, value]) => value !== undefined) as [string, string][])
  const headers = dpop === false ? {} : { dpop: proof(host, dpop) }
  return (await send(host, { body, headers })) as TokenResponse & RawAnswer
}

export function redeemAs(host: Host, code: string, { form, ...how }: Redeeming = {}) {
  const grant = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT_URI,
    code_verifier: VERIFIER,
  }
  return postAs(host, { ...how, form: { ...grant, ...form } })
}

export function refreshAs(host: Host, refresh_token: string, { form, ...how }: Redeeming = {}) {
  return postAs(host, { ...how, form: { grant_type: 'refresh_token', refresh_token, ...form } })
}

/** The whole way to tokens. */
export async function tokensFor(
  host: Host,
  agent: Agent,
  asking: Asking = {},
): Promise<TokenResponse['body']> {
  const { client = 'one' } = asking
  const { status, body } = await redeemAs(host, await codeFor(host, agent, asking), { client })
  if (status !== 200) throw new Error(`no tokens: ${status} ${JSON.stringify(body)}`)
  return body
}
