import { generateKeyPair, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'

const generate = promisify(generateKeyPair)
/** More than one suite needs at once costs every run; those that need more make them. */
const RSA_KEYS = 4

/** Jest runs this once, before it starts the processes of the suites, which inherit the environment. */
export default async function makeKeys(): Promise<void> {
  const [signing, ...others] = await Promise.all(
    Array.from({ length: 1 + RSA_KEYS }, () => generate('rsa', { modulusLength: 2048 })),
  )
  process.env.TEST_SIGNING_KEYS = JSON.stringify([
    jwk('RS256', signing!.privateKey),
    jwk('ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    jwk('EdDSA', generateKeyPairSync('ed25519').privateKey),
  ])
  process.env.TEST_RSA_KEYS = JSON.stringify(
    others.map(({ privateKey }) => privateKey.export({ format: 'jwk' })),
  )
}

function jwk(alg: string, key: KeyObject): Record<string, unknown> {
  return { ...key.export({ format: 'jwk' }), alg, kid: `test-${alg}` }
}
