import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'

/** To make an RSA key takes longer than most tests, so that all suites have these. */
const made: readonly JsonWebKey[] = JSON.parse(process.env.TEST_RSA_KEYS ?? '[]')

/** One for tests that are not about how it is made; another one for each number. None is the host's. */
export function rsaKey(which: 0 | 1 | 2 | 3 = 0): { privateKey: KeyObject; publicKey: KeyObject } {
  const key = made[which]
  // Outside of Jest nobody has made any.
  if (key === undefined) return generateKeyPairSync('rsa', { modulusLength: 2048 })
  const privateKey = createPrivateKey({ key, format: 'jwk' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}
