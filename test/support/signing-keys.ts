import { generateKeyPairSync, type KeyObject } from 'node:crypto'

/** Private signing keys of each algorithm, made once: a host with keys of its own starts faster than one that makes them. */
export const signingKeys = [
  jwk('RS256', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
  jwk('ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
  jwk('EdDSA', generateKeyPairSync('ed25519').privateKey),
]

function jwk(alg: string, key: KeyObject): Record<string, unknown> {
  return { ...key.export({ format: 'jwk' }), alg, kid: `test-${alg}` }
}
