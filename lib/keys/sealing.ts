import { hkdfSync } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose'
import { ConfigurationError } from '../errors.js'
import type { Sealer } from './keys.js'

const DIGEST = 'sha256'
const ENC = 'A256GCM'

/** Encrypts with AES-256-GCM, as a compact JWE (RFC 7516) that says which secret fits. Undefined where there is no secret. */
export function createSealer(secrets: readonly string[]): Sealer | undefined {
  const keys = secrets.map((secret) => ({
    kid: derive(secret, 'id', 9).toString('base64url'),
    key: new Uint8Array(derive(secret, ENC, 32)),
  }))
  const [first] = keys
  if (first === undefined) return undefined
  return {
    seal(text) {
      const header = { alg: 'dir', enc: ENC, kid: first.kid }
      return new CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader(header).encrypt(first.key)
    },
    async open(sealed) {
      const kid = kidOf(sealed)
      const fitting = keys.find((key) => key.kid === kid)
      if (fitting === undefined) throw noneFits()
      return decrypt(sealed, fitting.key)
    },
    isFresh: (text) => kidOf(text) === first.kid,
  }
}

/** Whether a text is a compact JWE whose key is not in it (RFC 7516 §3.1), whatever it was encrypted with. */
export function isSealed(text: string): boolean {
  return /^[\w-]+\.(?:\.[\w-]+){3}$/.test(text)
}

/** RFC 5869: the id tells nothing of the key, and neither of them of the secret. */
function derive(secret: string, purpose: string, length: number): Buffer {
  return Buffer.from(hkdfSync(DIGEST, secret, '', `express-oauth-provider at rest: ${purpose}`, length))
}

async function decrypt(sealed: string, key: Uint8Array): Promise<string> {
  try {
    const options = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: [ENC] }
    const { plaintext } = await compactDecrypt(sealed, key, options)
    return new TextDecoder().decode(plaintext)
  } catch (cause) {
    throw new ConfigurationError(
      'store',
      'holds an encrypted value that was changed',
      'Restore it from a backup.',
      cause,
    )
  }
}

function kidOf(sealed: string): unknown {
  try {
    return decodeProtectedHeader(sealed).kid
  } catch {
    return undefined
  }
}

function noneFits(): ConfigurationError {
  return new ConfigurationError(
    'secret',
    'does not fit what is encrypted in the store',
    'Pass the one that encrypted it as well, behind the new one: [new, old].',
  )
}
