import { constants, createHmac, createPrivateKey, type KeyObject, randomUUID, sign } from 'node:crypto'
import { csjSecret, pkjKey } from './clients.js'
import type { Host } from './host.js'

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** A private key as a JWK, or a shared secret. */
export type Signer = KeyObject | Readonly<Record<string, unknown>> | string

interface AssertionOptions {
  readonly client?: string
  readonly signer?: Signer
  /** Added to, or replacing, what the header says; undefined leaves a member out. */
  readonly header?: Readonly<Record<string, unknown>>
  /** The same for the claims. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** A client assertion that is right in every respect, but for what `header` and `claims` change. */
export function assertion(host: Pick<Host, 'issuer' | 'now'>, options: AssertionOptions = {}): string {
  const { client = 'pkj', header = {}, claims = {} } = options
  const { signer = client === 'csj' ? csjSecret : pkjKey } = options
  const now = Math.floor(host.now() / 1000)
  const standing = { iss: client, sub: client, aud: host.issuer, iat: now, exp: now + 60, jti: randomUUID() }
  const alg = typeof signer === 'string' ? 'HS256' : 'ES256'
  return signJwt({ alg, ...header }, { ...standing, ...claims }, signer)
}

/** The form members that go with an assertion. */
export function withAssertion(jwt: string): { client_assertion: string; client_assertion_type: string } {
  return { client_assertion: jwt, client_assertion_type: ASSERTION_TYPE }
}

/** A compact JWS, made by hand, so that header and payload may be anything. A string stands as it is. */
export function signJwt(header: { readonly alg: string } | string, payload: unknown, signer: Signer): string {
  const input = `${segment(header)}.${segment(payload)}`
  const alg = typeof header === 'string' ? String(JSON.parse(header).alg) : header.alg
  return `${input}.${signature(alg, input, signer).toString('base64url')}`
}

function segment(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

function signature(alg: string, input: string, signer: Signer): Buffer {
  const digest = `sha${alg.slice(2)}`
  if (typeof signer === 'string') return createHmac(digest, signer).update(input).digest()
  const key = 'export' in signer ? (signer as KeyObject) : createPrivateKey({ key: signer, format: 'jwk' })
  const data = Buffer.from(input)
  if (/^ES/.test(alg)) return sign(digest, data, { key, dsaEncoding: 'ieee-p1363' })
  if (/^PS/.test(alg)) {
    const saltLength = constants.RSA_PSS_SALTLEN_DIGEST
    return sign(digest, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
  }
  return sign(/^RS/.test(alg) ? digest : null, data, key)
}
