import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'

type LifetimeSettings = Pick<Settings, 'lifetimes' | 'resources'>

/** How long an access token of this client for these resources lives, in seconds: where client and resources have lifetimes of their own, the shortest. */
export function accessTokenLifetime(
  { lifetimes, resources }: LifetimeSettings,
  client: Client,
  audience: readonly string[],
): number {
  const own = [
    client.lifetimes?.accessToken,
    ...audience.map((resource) => resources.get(resource)?.accessTokenLifetime),
  ].filter((seconds) => seconds !== undefined)
  return own.length === 0 ? lifetimes.accessToken : Math.min(...own)
}

/** The longest that an access token of this client can live, in seconds. */
export function longestAccessTokenLifetime(
  { lifetimes, resources }: LifetimeSettings,
  client: Client,
): number {
  const own = [...resources.values()].map(({ accessTokenLifetime = 0 }) => accessTokenLifetime)
  return Math.max(client.lifetimes?.accessToken ?? 0, lifetimes.accessToken, ...own)
}

/** How long refresh tokens of this client live, in seconds. */
export function refreshTokenLifetimes(
  { lifetimes }: LifetimeSettings,
  client: Client,
): { readonly refreshToken: number; readonly refreshTokenTotal: number } {
  return {
    refreshToken: client.lifetimes?.refreshToken ?? lifetimes.refreshToken,
    refreshTokenTotal: client.lifetimes?.refreshTokenTotal ?? lifetimes.refreshTokenTotal,
  }
}

/** How long ID tokens of this client live, in seconds. */
export function idTokenLifetime({ lifetimes }: LifetimeSettings, client: Client): number {
  return client.lifetimes?.idToken ?? lifetimes.idToken
}
