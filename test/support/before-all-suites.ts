import { generateKeyPairSync, type KeyObject } from 'node:crypto'

/** Jest runs this once, before it starts the processes of the suites, which inherit the environment. */
export default function makeSigningKeys(): void {
  process.env.TEST_SIGNING_KEYS = JSON.stringify([
    jwk('RS256', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
    jwk('ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    jwk('EdDSA', generateKeyPairSync('ed25519').privateKey),
  ])
}

function jwk(alg: string, key: KeyObject): Record<string, unknown> {
  return { ...key.export({ format: 'jwk' }), alg, kid: `test-${alg}` }
}
