import { createHash, generateKeyPairSync, type JsonWebKey, type KeyObject, randomUUID } from 'node:crypto'
import { type Signer, signJwt } from './assertions.js'
import { fetch } from './fetch.js'
import { type FlowOptions, getCode, postToken, redirectUriOf, type TokenResponse, VERIFIER } from './flow.js'
import type { Host } from './host.js'
import { rsaKey } from './rsa-keys.js'

/** A key with which a client makes its proofs. */
export interface ProofKey {
  readonly alg: string
  readonly signer: KeyObject
  /** The public part. */
  readonly jwk: JsonWebKey
  /** Its thumbprint (RFC 7638). */
  readonly jkt: string
}

export function proofKey(alg: string): ProofKey {
  const curve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg]
  const { privateKey, publicKey } =
    curve !== undefined
      ? generateKeyPairSync('ec', { namedCurve: curve })
      : alg.startsWith('Ed')
        ? generateKeyPairSync('ed25519')
        : rsaKey(3)
  const jwk = publicKey.export({ format: 'jwk' })
  return { alg, signer: privateKey, jwk, jkt: thumbprint(jwk) }
}

/** One that clients use where it does not matter which. */
export const aKey = proofKey('ES256')
export const anotherKey = proofKey('ES256')

function thumbprint({ kty, crv, x, y, e, n }: JsonWebKey): string {
  const members = kty === 'RSA' ? { e, kty, n } : { crv, kty, x, ...(y !== undefined && { y }) }
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}

export interface ProofOptions {
  readonly key?: ProofKey
  /** What signs it, if not `key`. */
  readonly signer?: Signer
  /** The URL that it is for; default: the token endpoint. */
  readonly url?: string
  readonly method?: string
  /** The access token that it comes with. */
  readonly token?: string
  readonly nonce?: string | undefined
  /** Added to, or replacing, what the header says; undefined leaves a member out. */
  readonly header?: Readonly<Record<string, unknown>>
  /** The same for the claims. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** A DPoP proof that is right in every respect, but for what the options change. */
export function proof(host: Pick<Host, 'issuer' | 'now'>, options: ProofOptions = {}): string {
  const { key = aKey, url = `${host.issuer}/token`, method = 'POST', token, nonce } = options
  const { header = {}, claims = {}, signer = key.signer } = options
  return signJwt(
    { typ: 'dpop+jwt', alg: key.alg, jwk: key.jwk, ...header } as { alg: string },
    {
      ...{ jti: randomUUID(), htm: method, htu: url, iat: Math.floor(host.now() / 1000) },
      ...(token !== undefined && { ath: createHash('sha256').update(token).digest('base64url') }),
      ...(nonce !== undefined && { nonce }),
      ...claims,
    },
    signer,
  )
}

/** Posts to the token endpoint with a proof. */
export function postProven(
  host: Host,
  form: Record<string, string>,
  { client = 'conf', ...options }: ProofOptions & { readonly client?: string } = {},
): Promise<TokenResponse> {
  return postToken(host, form, { client, headers: { dpop: proof(host, options) } })
}

/** Redeems a code with a proof. */
export function redeemProven(
  host: Host,
  code: string,
  options: ProofOptions & { readonly client?: string } = {},
): Promise<TokenResponse> {
  const redirect_uri = redirectUriOf(options.client ?? 'conf')
  const grant = { grant_type: 'authorization_code', code, redirect_uri, code_verifier: VERIFIER }
  return postProven(host, grant, options)
}

/** The whole flow, to tokens that are bound to a key. */
export async function boundTokens(
  host: Host,
  options: FlowOptions & Pick<ProofOptions, 'key'> = {},
): Promise<TokenResponse['body']> {
  const { code } = await getCode(host, options)
  const { status, body } = await redeemProven(host, code, options)
  if (status !== 200) throw new Error(`no tokens: ${status} ${JSON.stringify(body)}`)
  return body
}

/** Asks a resource of the host's origin with a bound token and a proof for just that. */
export async function callProven(
  host: Host,
  path: string,
  token: string,
  { scheme = 'DPoP', method = 'GET', ...options }: ProofOptions & { readonly scheme?: string } = {},
): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const dpop = proof(host, { url: host.origin + path, method, token, ...options })
  const response = await fetch(`${host.origin}${path}`, {
    method,
    headers: { authorization: `${scheme} ${token}`, dpop },
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
}
