import type { JWK } from 'jose'
import type { Jwk } from '../options.js'

/** What may be known of a key, and nothing that only describes it. */
export function publicPart({ kty, n, e, crv, x, y }: Jwk): JWK {
  const members = Object.entries({ kty, n, e, crv, x, y })
  return Object.fromEntries(members.filter(([, value]) => value !== undefined))
}
