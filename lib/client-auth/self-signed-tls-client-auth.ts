import { type KeyObject, X509Certificate } from 'node:crypto'
import { isKey, listedKeys, MOST_KEYS } from '../clients/jwks.js'
import { searchKeySets } from '../clients/key-sets.js'
import type { OAuthError } from '../errors.js'
import type { Jwk } from '../options.js'
import { byClientIdAlone, requireCertificate } from './client-id-alone.js'
import { invalidClient, tooManyKeys } from './refusal.js'

/** RFC 8705 §2.2: a certificate with a key that the client has registered. Nobody has to vouch for it, so its chain counts for nothing. */
export const selfSignedTlsClientAuth = byClientIdAlone(async (client, verification) => {
  const { raw } = requireCertificate(verification)
  const { outgoing, publicKeys } = verification.runtime
  const refusal = await searchKeySets(outgoing, client, async (set) => {
    const listed = listedKeys(set) ?? []
    if (listed.length > MOST_KEYS) return tooManyKeys()
    const candidates = publicKeys.usable(listed.filter(isKey).filter((jwk) => mayBeOf(jwk, raw)))
    return isAmong(candidates, raw) ? undefined : unlisted()
  })
  if (refusal !== undefined) throw refusal
  return undefined
})

function unlisted(): OAuthError {
  return invalidClient(
    'The TLS client certificate is none that this client has registered in its jwks or jwks_uri.',
    'certificate_key',
  )
}

/** A key that is registered together with its certificate is good with no other (RFC 8705 §2.2.2). */
function mayBeOf({ x5c }: Jwk, raw: Uint8Array): boolean {
  if (x5c === undefined) return true
  const [own]: readonly unknown[] = Array.isArray(x5c) ? x5c : []
  return typeof own === 'string' && Buffer.from(own, 'base64').equals(raw)
}

function isAmong(keys: Iterable<KeyObject>, raw: Uint8Array): boolean {
  try {
    const { publicKey } = new X509Certificate(raw)
    for (const key of keys) if (key.equals(publicKey)) return true
    return false
  } catch {
    // OpenSSL does not know every kind of key.
    return false
  }
}
