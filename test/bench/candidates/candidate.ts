import { randomBytes } from 'node:crypto'
import type { Express } from 'express'

/** Where a candidate keeps its tokens, and how many live ones have to lie there before it is measured. */
export interface Place {
  /** A file for SQLite, which is not there yet. */
  readonly file: string
  /** The URL of an empty database. */
  readonly database: string | undefined
  readonly tokens: number
}

/** What is mounted, and what a client has to have in hand. */
export interface Mounted {
  /** Some of the live access tokens, from all over the store. */
  readonly samples: readonly string[]
  /** The cookies of browsers whose users have signed in, and have allowed the client everything before. */
  readonly cookies: readonly string[]
}

/** Mounts a server below `/oauth` and its guard at `GET /api`, and fills its store. All serve the same client and the same paths. */
export type Candidate = (app: Express, place: Place) => Promise<Mounted>

export const ISSUER = 'http://localhost/oauth'
export const CLIENT = {
  id: 'bench',
  secret: 'a-secret-as-long-as-generated-ones-are-0123456',
  redirectUri: 'https://client.example/cb',
} as const
export const PATHS = {
  authorize: '/oauth/authorize',
  token: '/oauth/token',
  introspect: '/oauth/introspect',
  discovery: '/oauth/.well-known/openid-configuration',
  /** A route of the host that wants a token with the scope `read`, and the same route open to all. */
  api: '/api',
  open: '/open',
} as const

/** How many users there are. Each has allowed the client something, and the live tokens are theirs in turn. */
export const USERS = 1000
/** How many of the live tokens a client presents. */
const SAMPLES = 2000
/** Seconds. */
export const LIFETIME = 3600

export function userOf(index: number): string {
  return `user-${index % USERS}`
}

/** The login of the host, as cheap as one can be. */
export function signedInAs(cookie: string | undefined): string | undefined {
  return cookie?.startsWith('user=') ? cookie.slice(5) : undefined
}

export function userCookies(): string[] {
  return Array.from({ length: USERS }, (_, index) => `user=${userOf(index)}`)
}

/** 256 random bits. */
export function randomToken(): string {
  return randomBytes(32).toString('base64url')
}

/** When the token with this index expires, in milliseconds: none of them while they are measured, one after the other after that. */
export function expiryAt(index: number, tokens: number, now: number): number {
  return now + Math.floor(LIFETIME * 1000 * (0.5 + index / tokens / 2))
}

/** Calls `insert` for each token, in lots which are worth a transaction each, and gives some of the values that it answers. */
export async function fill(
  tokens: number,
  insert: (from: number, to: number) => readonly string[] | Promise<readonly string[]>,
  lot = 2000,
): Promise<string[]> {
  const every = Math.max(1, Math.floor(tokens / SAMPLES))
  const samples: string[] = []
  for (let from = 0; from < tokens; from += lot) {
    const values = await insert(from, Math.min(from + lot, tokens))
    samples.push(...values.filter((_, index) => (from + index) % every === 0))
  }
  return samples
}
