import { createHash, randomBytes } from 'node:crypto'
import { Agent, encode, type Form, inputValue, type Page } from './agent.js'
import { fetch } from './fetch.js'
import type { Host } from './host.js'

export const VERIFIER = 'a-verifier-that-is-long-enough-for-rfc-7636-0123456789'
export const CHALLENGE = s256(VERIFIER)

export function s256(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url')
}

export interface FlowOptions {
  readonly client?: string
  readonly user?: string
  readonly agent?: Agent
  /** Added to, or replacing, the parameters of the authorization request; undefined leaves one out. */
  readonly params?: Form
}

const REDIRECTS: Record<string, string> = {
  conf2: 'https://rp2.example/cb',
  multi: 'https://rp.example/cb1',
  pub: 'https://spa.example/cb',
  nat: 'http://127.0.0.1:51004/cb',
  first: 'https://first.example/cb',
}

export function redirectUriOf(client: string): string {
  return REDIRECTS[client] ?? 'https://rp.example/cb'
}

/** The URL of an authorization request that is right in every respect, but for what `params` changes. */
export function authorizeUrl(host: Host, { client = 'conf', params = {} }: FlowOptions = {}): string {
  const query = encode({
    response_type: 'code',
    client_id: client,
    redirect_uri: redirectUriOf(client),
    scope: 'read',
    state: 'the-state',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    ...params,
  })
  return `${host.issuer}/authorize?${query}`
}

/** Sends the request as a signed-in user and stops at the consent page, or wherever the browser is sent instead. */
export async function toConsent(
  host: Host,
  options: FlowOptions = {},
): Promise<{ agent: Agent; page: Page }> {
  const agent = options.agent ?? (await signedIn(host, options.user ?? 'alice'))
  return { agent, page: await agent.follow(authorizeUrl(host, options)) }
}

export async function signedIn(host: Host, user: string): Promise<Agent> {
  const agent = new Agent(host)
  await agent.login(user)
  return agent
}

/** Presses a button on a consent page. */
export function decide(
  agent: Agent,
  page: Page,
  decision: 'approve' | 'deny',
  form: Form = {},
): Promise<Page> {
  return agent.post(page.url, { _csrf: inputValue(page, '_csrf'), decision, ...form })
}

/** Where a page or a redirect leads outside the host: the Location, or the link of the page that goes on by itself. */
export function destination(page: Page): URL {
  const refresh = page.text
    .match(/http-equiv="refresh" content="0;\s*url=([^"]*)"/)?.[1]
    ?.replaceAll('&amp;', '&')
    .replaceAll('&#38;', '&')
  const target = page.location ?? refresh
  if (target === undefined)
    throw new Error(`no way on from ${page.url} (${page.status}): ${page.text.slice(0, 2000)}`)
  return new URL(target)
}

/** The whole way to a code: sign in, ask, approve. */
export async function getCode(
  host: Host,
  options: FlowOptions = {},
): Promise<{ code: string; agent: Agent; callback: URL }> {
  const { agent, page } = await toConsent(host, options)
  const answer = page.text.includes('name="decision"') ? await decide(agent, page, 'approve') : page
  const callback = destination(answer)
  const code = callback.searchParams.get('code')
  if (code === null) throw new Error(`no code: ${callback.href}`)
  return { code, agent, callback }
}

export interface TokenResponse {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown> & {
    access_token: string
    refresh_token: string
    error?: string
    error_description?: string
  }
}

/** Posts to the token endpoint as this client: Basic for `client_secret_basic`, in the body otherwise. */
export async function postToken(
  host: Host,
  form: Form,
  { client = 'conf', headers = {} }: { client?: string; headers?: Record<string, string> } = {},
): Promise<TokenResponse> {
  const response = await fetch(`${host.issuer}/token`, {
    method: 'POST',
    headers: { ...credentials(client).headers, ...headers },
    body: encode({ ...credentials(client).form, ...form }),
  })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as TokenResponse['body'],
  }
}

export function credentials(client: string): { headers: Record<string, string>; form: Form } {
  if (client === 'pub' || client === 'nat') return { headers: {}, form: { client_id: client } }
  if (client === 'post')
    return { headers: {}, form: { client_id: client, client_secret: `${client}-secret` } }
  return { headers: { authorization: basic(client, `${client}-secret`) }, form: {} }
}

export function basic(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`
}

export function redeem(
  host: Host,
  code: string,
  { client = 'conf', form = {} }: { client?: string; form?: Form } = {},
): Promise<TokenResponse> {
  return postToken(
    host,
    {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUriOf(client),
      code_verifier: VERIFIER,
      ...form,
    },
    { client },
  )
}

export function refresh(
  host: Host,
  refreshToken: string,
  { client = 'conf', form = {} }: { client?: string; form?: Form } = {},
): Promise<TokenResponse> {
  return postToken(host, { grant_type: 'refresh_token', refresh_token: refreshToken, ...form }, { client })
}

/** The whole flow, to tokens. */
export async function getTokens(
  host: Host,
  options: FlowOptions = {},
): Promise<TokenResponse['body'] & { agent: Agent }> {
  const { code, agent } = await getCode(host, options)
  const { client = 'conf' } = options
  const redirectUri = options.params?.redirect_uri
  const form = typeof redirectUri === 'string' ? { redirect_uri: redirectUri } : {}
  const { status, body } = await redeem(host, code, { client, form })
  if (status !== 200) throw new Error(`no tokens: ${status} ${JSON.stringify(body)}`)
  return { ...body, agent }
}

/** Calls the host's API. */
export async function callApi(
  host: Host,
  path: string,
  token: string | undefined,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(`${host.origin}${path}`, { headers: { ...authorization, ...headers } })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  }
}

export function randomState(): string {
  return randomBytes(8).toString('hex')
}
