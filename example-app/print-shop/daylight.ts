import { createHash } from 'node:crypto'
import * as oauth from 'openid-client'

/** What the print shop keeps of a customer who has connected the photo app. */
export interface Account {
  tokens: oauth.TokenEndpointResponse
  /** Fingerprint of the access token before the last refresh. */
  replaced?: string
}

/** What the print shop keeps while the customer is away at the photo app. */
export interface Pending {
  state: string
  codeVerifier: string
}

/** The customer said no. */
export class AccessDenied extends Error {}

/** The photo app did not connect us, and says why. */
export class ConnectionRefused extends Error {}

/** The customer said yes once, and has taken it back. */
export class AccessWithdrawn extends Error {}

/** All that the print shop knows of OAuth: how to be a client of the photo app. */
export async function connectTo(photoAppUrl: string, redirectUri: string, clientSecret: string) {
  // The provider's metadata (RFC 8414) tells everything else. Plain http is for this computer only.
  const provider = await oauth.discovery(
    new URL(`${photoAppUrl}/oauth`),
    'print-shop',
    undefined,
    oauth.ClientSecretBasic(clientSecret),
    { algorithm: 'oauth2', execute: [oauth.allowInsecureRequests] },
  )

  async function authorizationUrl(): Promise<{ href: string; pending: Pending }> {
    const pending = { state: oauth.randomState(), codeVerifier: oauth.randomPKCECodeVerifier() }
    const { href } = oauth.buildAuthorizationUrl(provider, {
      redirect_uri: redirectUri,
      scope: 'photos albums',
      state: pending.state,
      code_challenge: await oauth.calculatePKCECodeChallenge(pending.codeVerifier),
      code_challenge_method: 'S256',
    })
    return { href, pending }
  }

  /** Compares `state` and `iss`, then redeems the code. */
  async function redeem(callback: URL, { state, codeVerifier }: Pending): Promise<Account> {
    try {
      const checks = { expectedState: state, pkceCodeVerifier: codeVerifier }
      return { tokens: await oauth.authorizationCodeGrant(provider, callback, checks) }
    } catch (error) {
      const answered =
        error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError
      if (!answered) throw error
      throw error.error === 'access_denied'
        ? new AccessDenied()
        : new ConnectionRefused(`Daylight Photos says: ${error.error_description ?? error.error}`)
    }
  }

  async function refresh(account: Account): Promise<void> {
    try {
      const tokens = await oauth.refreshTokenGrant(provider, account.tokens.refresh_token ?? '')
      account.replaced = fingerprint(account)
      account.tokens = { ...account.tokens, ...tokens }
    } catch (error) {
      const gone = error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant'
      throw gone ? new AccessWithdrawn() : error
    }
  }

  async function request<Body>(account: Account, path: string): Promise<Body> {
    const url = new URL(path, photoAppUrl)
    const response = await oauth.fetchProtectedResource(provider, account.tokens.access_token, url, 'GET')
    if (!response.ok) throw new Error(`The photo app answered ${response.status}.`)
    return (await response.json()) as Body
  }

  /** Calls the API. An access token that has died is refreshed, once. */
  async function get<Body>(account: Account, path: string): Promise<Body> {
    try {
      return await request(account, path)
    } catch (error) {
      if (!(error instanceof oauth.WWWAuthenticateChallengeError && error.status === 401)) throw error
      await refresh(account)
      return request(account, path)
    }
  }

  return { authorizationUrl, redeem, refresh, get }
}

export function scopesOf({ tokens }: Account): string[] {
  return tokens.scope?.split(' ') ?? []
}

/** Tells two tokens apart on the page without showing them. */
export function fingerprint({ tokens }: Account): string {
  return createHash('sha256').update(tokens.access_token).digest('hex').slice(0, 8)
}
