import type { CryptoKey, JWK } from 'jose'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
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

export function privateKey(key: KeyMaterial): Promise<CryptoKey> {
  return imported(privateKeys, key, key.jwk as JWK)
}

export function publicKey(key: KeyMaterial): Promise<CryptoKey> {
  return imported(publicKeys, key, publicPart(key.jwk))
}

function imported(
  known: WeakMap<Jwk, Promise<CryptoKey>>,
  { jwk, alg }: KeyMaterial,
  part: JWK,
): Promise<CryptoKey> {
  let importing = known.get(jwk)
  if (importing === undefined) {
    importing = importJWK(part, alg) as Promise<CryptoKey>
    known.set(jwk, importing)
  }
  return importing
}
