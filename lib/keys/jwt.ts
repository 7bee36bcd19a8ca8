import { CompactSign, compactVerify } from 'jose'
import { type KeyMaterial, privateKey, publicKey } from './key-material.js'
import type { JwtClaims, JwtHeader } from './keys.js'

/** Ours are far smaller, and what is larger is not worth a look. In characters. */
const LONGEST = 16 * 1024

/** A JWT in the compact form (RFC 7515 §7.1). The same claims and key give the same JWT, but for ES256. */
export async function signJwt(claims: JwtClaims, typ: JwtHeader['typ'], key: KeyMaterial): Promise<string> {
  const payload = new TextEncoder().encode(JSON.stringify(claims))
  const { alg, kid } = key
  return new CompactSign(payload).setProtectedHeader({ alg, typ, kid }).sign(await privateKey(key))
}

/** The claims of a JWT that one of our keys signed; undefined for anything else, however it is made (RFC 8725 §3). */
export async function verifyJwt(
  jwt: string,
  typ: JwtHeader['typ'],
  find: (kid: string) => Promise<KeyMaterial | undefined>,
): Promise<JwtClaims | undefined> {
  const header = headerOf(jwt)
  if (header === undefined || header.typ !== typ) return undefined
  const key = await find(header.kid)
  // RFC 8725 §3.1: the key says which algorithm is right, never the JWT.
  if (key === undefined || header.alg !== key.alg) return undefined
  const verifier = await publicKey(key)
  try {
    const { payload } = await compactVerify(jwt, verifier, { algorithms: [key.alg] })
    return claimsIn(new TextDecoder().decode(payload))
  } catch {
    return undefined
  }
}

/** Our headers have these three members and no others: no `crit`, no `b64`, no key of the sender's. */
function headerOf(jwt: string): { alg: string; typ: string; kid: string } | undefined {
  if (typeof jwt !== 'string' || jwt.length > LONGEST) return undefined
  const [first = '', , signature, more] = jwt.split('.', 4)
  if (signature === undefined || more !== undefined) return undefined
  const { alg, typ, kid, ...others } = claimsIn(Buffer.from(first, 'base64url').toString()) ?? {}
  if (typeof alg !== 'string' || typeof typ !== 'string' || typeof kid !== 'string') return undefined
  return Object.keys(others).length === 0 ? { alg, typ, kid } : undefined
}

function claimsIn(text: string): JwtClaims | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
