import type { CryptoKey, JWK } from 'jose'
import {
  CompactSign,
  calculateJwkThumbprint,
  compactVerify,
  exportJWK,
  generateKeyPair,
  importJWK,
} from 'jose'
import type { Jwk } from '../options.js'
import type { StoredKey } from './key-document.js'
import { publicPart } from './public-part.js'
import type { SigningAlg } from './signing-keys.js'

/** What it takes to sign or verify with a key. */
export type KeyMaterial = Pick<StoredKey, 'kid' | 'alg' | 'jwk'>

const MODULUS = 2048

/** Makes a key on a thread of its own; its id is its thumbprint (RFC 7638). */
async function generate(alg: SigningAlg): Promise<KeyMaterial> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, modulusLength: MODULUS })
  const jwk = await exportJWK(privateKey)
  return { kid: await calculateJwkThumbprint(jwk), alg, jwk }
}

/** Makes keys. Those that could not be saved serve the next time, so that a store that fails does not cost a key each time. */
export class KeyMaker {
  #spare: KeyMaterial[] = []

  /** Whether `save` took them. `known`: the keys that there are, among them any that was saved although the store said that it failed. */
  async make(
    algs: readonly SigningAlg[],
    known: readonly KeyMaterial[],
    save: (made: readonly KeyMaterial[]) => Promise<boolean>,
  ): Promise<boolean> {
    this.#spare = this.#spare.filter(({ kid }) => !known.some((key) => key.kid === kid))
    const made = await Promise.all(algs.map((alg) => this.#takeSpare(alg) ?? generate(alg)))
    let saved = false
    try {
      saved = await save(made)
      return saved
    } finally {
      if (!saved) this.#spare.push(...made)
    }
  }

  #takeSpare(alg: SigningAlg): KeyMaterial | undefined {
    const index = this.#spare.findIndex((key) => key.alg === alg)
    return index === -1 ? undefined : this.#spare.splice(index, 1)[0]
  }
}

// Both go when the document that they belong to does.
const privateKeys = new WeakMap<Jwk, Promise<CryptoKey>>()
const publicKeys = new WeakMap<Jwk, Promise<CryptoKey>>()

/** @throws Error where its public part does not verify what it signs: nobody could use that, and nobody would know why. */
export function privateKey(key: KeyMaterial): Promise<CryptoKey> {
  return remembered(privateKeys, key, async () => {
    const imported = (await importJWK(key.jwk as JWK, key.alg)) as CryptoKey
    const probe = new CompactSign(new Uint8Array()).setProtectedHeader({ alg: key.alg })
    await compactVerify(await probe.sign(imported), await publicKey(key))
    return imported
  })
}

export function publicKey(key: KeyMaterial): Promise<CryptoKey> {
  const make = async () => (await importJWK(publicPart(key.jwk), key.alg)) as CryptoKey
  return remembered(publicKeys, key, make)
}

function remembered(
  known: WeakMap<Jwk, Promise<CryptoKey>>,
  { kid, jwk }: KeyMaterial,
  make: () => Promise<CryptoKey>,
): Promise<CryptoKey> {
  let importing = known.get(jwk)
  if (importing === undefined) {
    importing = make().catch((cause) => {
      throw new Error(`The signing key '${kid}' is damaged.`, { cause })
    })
    known.set(jwk, importing)
  }
  return importing
}
