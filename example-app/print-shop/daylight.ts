import { createHash } from 'node:crypto'
import * as openid from 'openid-client'
import { logoutTokenReader } from './logout-token.js'

/** What the print shop keeps of a customer who has signed in. */
export interface Account {
  /** Who the customer is, as the photo app tells it. */
  user: openid.UserInfoResponse
  /** The customer's session at the photo app, by the name that a logout token gives it. */
  sid: openid.JsonValue | undefined
  tokens: openid.TokenEndpointResponse
  /** Fingerprint of the access token before the last refresh. */
  replaced?: string
}

/** What the print shop keeps while the customer is away at the photo app. */
export interface Pending {
  state: string
  nonce: string
  codeVerifier: string
}

/** The customer said no. */
export class AccessDenied extends Error {}

/** The photo app did not sign the customer in, and says why. */
export class SignInRefused extends Error {}

/** The customer said yes once, and has taken it back. */
export class AccessWithdrawn extends Error {}

export interface DaylightOptions {
  photoAppUrl: string
  clientSecret: string
  /** Where the photo app sends customers who have signed in. */
  redirectUri: string
  /** Where it sends customers who have signed out. */
  signedOutUri: string
}

const CLIENT_ID = 'print-shop'

/** All that the print shop knows of OpenID Connect: how to be a client of the photo app. */
export async function connectTo({ photoAppUrl, clientSecret, redirectUri, signedOutUri }: DaylightOptions) {
  // Reads <issuer>/.well-known/openid-configuration, which tells everything else. Plain http is for this computer only, and over
  // plain http an ID token is worth its signature, which the library checks only when told to.
  const provider = await openid.discovery(
    new URL(`${photoAppUrl}/oauth`),
    CLIENT_ID,
    undefined,
    openid.ClientSecretBasic(clientSecret),
    { execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks] },
  )

  async function signInUrl(): Promise<{ href: string; pending: Pending }> {
    const pending = {
      state: openid.randomState(),
      nonce: openid.randomNonce(),
      codeVerifier: openid.randomPKCECodeVerifier(),
    }
    const { href } = openid.buildAuthorizationUrl(provider, {
      redirect_uri: redirectUri,
      scope: 'openid profile email photos albums',
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await openid.calculatePKCECodeChallenge(pending.codeVerifier),
      code_challenge_method: 'S256',
    })
    return { href, pending }
  }

  /** Compares `state` and `iss`, redeems the code, validates the ID token, and asks who the customer is. */
  async function redeem(callback: URL, { state, nonce, codeVerifier }: Pending): Promise<Account> {
    try {
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: codeVerifier }
      const tokens = await openid.authorizationCodeGrant(provider, callback, checks)
      const { sub, sid } = tokens.claims() as openid.IDToken // there, for the nonce was found in it
      return { user: await openid.fetchUserInfo(provider, tokens.access_token, sub), sid, tokens }
    } catch (error) {
      const answered =
        error instanceof openid.AuthorizationResponseError || error instanceof openid.ResponseBodyError
      if (!answered) throw error
      throw error.error === 'access_denied'
        ? new AccessDenied()
        : new SignInRefused(`Daylight Photos says: ${error.error_description ?? error.error}`)
    }
  }

  async function refresh(account: Account): Promise<void> {
    try {
      const tokens = await openid.refreshTokenGrant(provider, account.tokens.refresh_token ?? '')
      account.replaced = fingerprint(account)
      account.tokens = { ...account.tokens, ...tokens }
    } catch (error) {
      const gone = error instanceof openid.ResponseBodyError && error.error === 'invalid_grant'
      throw gone ? new AccessWithdrawn() : error
    }
  }

  /** Where to send a customer who signs out, so that the photo app signs them out too. The ID token tells whose session is meant. */
  function signOutUrl({ tokens }: Account): { href: string; state: string } {
    const state = openid.randomState()
    const { href } = openid.buildEndSessionUrl(provider, {
      id_token_hint: tokens.id_token ?? '',
      post_logout_redirect_uri: signedOutUri,
      state,
    })
    return { href, state }
  }

  async function request<Body>(account: Account, path: string): Promise<Body> {
    const url = new URL(path, photoAppUrl)
    const response = await openid.fetchProtectedResource(provider, account.tokens.access_token, url, 'GET')
    if (!response.ok) throw new Error(`The photo app answered ${response.status}.`)
    return (await response.json()) as Body
  }

  /** Calls the API. An access token that has died is refreshed, once. */
  async function get<Body>(account: Account, path: string): Promise<Body> {
    try {
      return await request(account, path)
    } catch (error) {
      if (!(error instanceof openid.WWWAuthenticateChallengeError && error.status === 401)) throw error
      await refresh(account)
      return request(account, path)
    }
  }

  const readLogoutToken = logoutTokenReader(provider.serverMetadata(), CLIENT_ID)
  return { signInUrl, redeem, refresh, signOutUrl, get, readLogoutToken }
}

export function scopesOf({ tokens }: Account): string[] {
  return tokens.scope?.split(' ') ?? []
}

/** Tells two tokens apart on the page without showing them. */
export function fingerprint({ tokens }: Account): string {
  return createHash('sha256').update(tokens.access_token).digest('hex').slice(0, 8)
}
