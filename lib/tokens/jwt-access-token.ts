import { hash } from 'node:crypto'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import type { AccessTokenData } from './access-token.js'
import type { Handle } from './handle.js'
import { accessTokenClaims } from './token-claims.js'

/** What makes signing the same claims again give the same token: the key, and the time of issue in milliseconds. */
export interface JwtSigning {
  readonly kid: string
  readonly issuedAt: number
}

/** Characters: what Node takes in the headers of a request. */
const LONGEST = 16 * 1024

export async function newJwtSigning({ settings, keys, now }: Runtime): Promise<JwtSigning> {
  return { kid: await keys.currentKid(settings.profile.accessTokenAlg), issuedAt: now() }
}

/**
 * The same access token as a JWT, for resource servers that look nothing up (RFC 9068 §2.2). Its `jti` is the id of its record, which holds the
 * hash of the whole: so it is found, and ends, as every other token does. `data.scopes`: those that mean something at its resources.
 */
export async function asJwt(
  { settings, keys }: Runtime,
  client: Client,
  { id }: Handle,
  data: AccessTokenData,
  { kid, issuedAt }: JwtSigning,
): Promise<Handle> {
  const claims = accessTokenClaims(settings, client, id, { ...data, issuedAt })
  const value = await keys.sign(claims, { alg: settings.profile.accessTokenAlg, typ: 'at+jwt', kid })
  return { value, id, hash: hash('sha256', value, 'buffer') }
}

/** Where the record of a presented JWT lies. Nothing in it is believed: the record proves it by its hash. */
export function readJwtHandle(value: string): Handle | undefined {
  const [, payload, signature, more] = value.split('.', 4)
  if (payload === undefined || signature === undefined || more !== undefined || value.length > LONGEST)
    return undefined
  const id = jtiOf(payload)
  return id === undefined ? undefined : { value, id, hash: hash('sha256', value, 'buffer') }
}

function jtiOf(payload: string): string | undefined {
  try {
    const { jti } = JSON.parse(Buffer.from(payload, 'base64url').toString())
    return typeof jti === 'string' && /^[0-9a-f]{32}$/.test(jti) ? jti : undefined
  } catch {
    return undefined
  }
}
