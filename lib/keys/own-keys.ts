import { createHash, createPrivateKey, createPublicKey, type JsonWebKey, sign, verify } from 'node:crypto'
import { ConfigurationError } from '../errors.js'
import type { Jwk } from '../options.js'
import { describe } from '../validation.js'
import { signJwt, verifyJwt } from './jwt.js'
import type { KeyMaterial } from './key-material.js'
import { type JwtClaims, type JwtHeader, type ProviderKeys, SIGNING_ALGS } from './keys.js'
import { publicPart } from './public-part.js'
import type { SigningAlg, SigningKey } from './signing-keys.js'

const LEAST_MODULUS = 2048
const KINDS =
  'Pass a private JWK for RS256 (RSA of 2048 bits or more), ES256 (EC, P-256) or EdDSA (OKP, Ed25519).'
const MAKING: Readonly<Record<SigningAlg, string>> = {
  RS256: "'rsa', { modulusLength: 2048 }",
  ES256: "'ec', { namedCurve: 'P-256' }",
  EdDSA: "'ed25519'",
}

/** The keys of the option `keys`. They are the host's to change, in the order that `options.ts` tells. */
export class OwnKeys implements ProviderKeys {
  readonly algs: readonly SigningAlg[]
  readonly #keys: readonly KeyMaterial[]

  /** `required`: the algorithms for which there has to be one. @throws ConfigurationError that names the key at fault. */
  constructor(jwks: readonly Jwk[], required: readonly SigningAlg[]) {
    this.#keys = jwks.map((jwk, index) => ownKey(`keys[${index}]`, jwk))
    for (const [index, { kid }] of this.#keys.entries()) {
      if (this.#keys.findIndex((key) => key.kid === kid) === index) continue
      throw new ConfigurationError(
        `keys[${index}]`,
        `has the kid of another one: '${kid}'`,
        'Give each its own.',
      )
    }
    this.algs = SIGNING_ALGS.filter((alg) => this.#keys.some((key) => key.alg === alg))
    const missing = required.find((alg) => !this.algs.includes(alg))
    if (missing !== undefined)
      throw new ConfigurationError('keys', `has none for ${missing}`, makeOne(missing))
  }

  start(): void {}

  close(): void {}

  async currentKid(alg: SigningAlg): Promise<string> {
    return this.#current(alg).kid
  }

  async sign(claims: JwtClaims, { alg, typ, kid }: JwtHeader): Promise<string> {
    const named = this.#keys.find((key) => key.kid === kid && key.alg === alg)
    return signJwt(claims, typ, named ?? this.#current(alg))
  }

  verify(jwt: string, typ: JwtHeader['typ']): Promise<JwtClaims | undefined> {
    return verifyJwt(jwt, typ, async (kid) => this.#keys.find((key) => key.kid === kid))
  }

  async published(): Promise<{ readonly keys: readonly Jwk[] }> {
    return {
      keys: this.#keys.map(({ kid, alg, jwk }) => ({ ...publicPart(jwk), kid, alg, use: 'sig' })),
    }
  }

  async list(): Promise<readonly SigningKey[]> {
    return this.#keys.map(({ kid, alg }) => {
      return { kid, alg, state: kid === this.#current(alg).kid ? 'current' : 'published' }
    })
  }

  async rotate(): Promise<void> {
    throw fixed(
      'rotate()',
      'Put a new key into that option behind the old one, and a day later before it; or leave the option out.',
    )
  }

  async revoke(): Promise<boolean> {
    throw fixed('revoke(kid)', 'Take the key out of that option, and start again.')
  }

  #current(alg: SigningAlg): KeyMaterial {
    const key = this.#keys.find((key) => key.alg === alg)
    if (key !== undefined) return key
    throw new ConfigurationError('keys', `has none for ${alg}`, KINDS)
  }
}

function fixed(call: string, remedy: string): ConfigurationError {
  return new ConfigurationError(`keys.${call}`, 'cannot change the keys of the option keys', remedy)
}

function makeOne(alg: SigningAlg): string {
  return `Make one: node -p "crypto.generateKeyPairSync(${MAKING[alg]}).privateKey.export({ format: 'jwk' })".`
}

/** A private JWK with no member but those of its kind. */
function ownKey(option: string, jwk: Jwk): KeyMaterial {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk))
    throw new ConfigurationError(option, `is ${typeof jwk === 'string' ? 'a string' : describe(jwk)}`, KINDS)
  const alg = algOf(option, jwk)
  const key = privateJwk(option, jwk)
  const given = jwk.kid
  if (given !== undefined && (typeof given !== 'string' || given === ''))
    throw new ConfigurationError(`${option}.kid`, `is ${describe(given)}`, 'Pass a string, or leave it out.')
  return { kid: given ?? thumbprint(key), alg, jwk: key }
}

const ALGS: Readonly<Record<string, SigningAlg>> = { RSA: 'RS256', 'P-256': 'ES256', Ed25519: 'EdDSA' }

function algOf(option: string, { kty, crv, alg, use, key_ops: operations }: Jwk): SigningAlg {
  const kind = kty === 'RSA' ? kty : crv
  const fitting = typeof kind === 'string' && Object.hasOwn(ALGS, kind) ? ALGS[kind] : undefined
  if (fitting === undefined)
    throw new ConfigurationError(
      option,
      `has the kty ${describe(kty)}${crv === undefined ? '' : ` and the crv ${describe(crv)}`}`,
      KINDS,
    )
  // RFC 9864 §2.2 names EdDSA with this curve Ed25519.
  if (alg !== undefined && alg !== fitting && !(alg === 'Ed25519' && fitting === 'EdDSA'))
    throw new ConfigurationError(
      `${option}.alg`,
      `is ${describe(alg)}`,
      `This key signs ${fitting}: say so, or leave it out.`,
    )
  if (use !== undefined && use !== 'sig')
    throw new ConfigurationError(`${option}.use`, `is ${describe(use)}`, "Pass a key for signing: use 'sig'.")
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('sign')))
    throw new ConfigurationError(`${option}.key_ops`, "does not have 'sign'", 'Pass a key for signing.')
  return fitting
}

/** What Node makes of it: complete, and such that its two parts belong together. */
function privateJwk(option: string, jwk: Jwk): Jwk {
  if (jwk.d === undefined) throw new ConfigurationError(option, 'is a public key', KINDS)
  try {
    const key = createPrivateKey({ key: { ...jwk } as JsonWebKey, format: 'jwk' })
    const { modulusLength = LEAST_MODULUS } = key.asymmetricKeyDetails ?? {}
    if (modulusLength < LEAST_MODULUS)
      throw new ConfigurationError(
        option,
        `has ${modulusLength} bits`,
        'RSA keys need 2048 or more (RFC 7518 §3.3).',
      )
    const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
    const probe = Buffer.from('probe')
    const given = createPublicKey({ key: publicPart(jwk), format: 'jwk' })
    if (!verify(digest, probe, given, sign(digest, probe, key))) throw new Error('its parts do not match')
    return key.export({ format: 'jwk' })
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw new ConfigurationError(option, 'is not a key that can be used', KINDS, error)
  }
}

/** RFC 7638 §3: SHA-256 of the required members, in lexicographic order. */
function thumbprint({ crv, e, kty, n, x, y }: Jwk): string {
  return createHash('sha256').update(JSON.stringify({ crv, e, kty, n, x, y })).digest('base64url')
}
