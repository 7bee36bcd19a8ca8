import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { KeySet } from '../../lib/keys/key-set.js'
import { SIGNING_ALGS } from '../../lib/keys/keys.js'
import type { Settings } from '../../lib/settings.js'
import { checkedStore } from '../../lib/store/checked.js'
import { openStore } from '../../lib/store/open.js'
import type { Store } from '../../lib/store/store.js'
import { damaged, type Step, steps } from './damage.js'

const NOW = Date.now()
const LIFETIMES = { idToken: 3600, accessToken: 3600, signingKey: 7_776_000 }
const STATED = /signing keys? .*damaged/

/** What becomes of the signing keys; a list without any is one from which all have been revoked. */
export const damagesOfKeys = steps.filter(
  (how) => !how.some((step) => step.do === 'write' && step.text === '[]'),
)

/** Keys in a store, whose row is damaged again and again. */
export interface SigningTarget {
  /** Throws where anything is signed that relying parties cannot verify, or with a key that they do not know, or where a failure does not say why. */
  judge(how: readonly Step[]): Promise<'signed' | 'refused'>
}

export async function startSigning(): Promise<SigningTarget> {
  const store = openStore(':memory:', () => NOW)
  const keys = keySet(store)
  await keys.list()
  const known = materialOf(await keys.published())
  const data = (await store.findKeys())?.data ?? ''
  return {
    async judge(how) {
      const text = how.reduce(damaged, data)
      const revision = ((await store.findKeys())?.revision ?? 0) + 1
      await store.saveKeys({ revision, data: text })
      let outcome: 'signed' | 'refused' = 'signed'
      for (const alg of SIGNING_ALGS) {
        const keys = keySet(store)
        try {
          const jwt = await keys.sign({ sub: 'alice' }, { alg, typ: 'JWT' })
          const published = (await keys.published()) as JSONWebKeySet
          const { protectedHeader } = await jwtVerify(jwt, createLocalJWKSet(published))
          const signing = published.keys.filter(({ kid }) => kid === protectedHeader.kid)
          if (!materialOf({ keys: signing }).every((material) => known.includes(material)))
            throw new TypeError('signed with a new key')
        } catch (error) {
          if (!STATED.test(String(error))) throw error
          outcome = 'refused'
        }
        await keys.list().catch(() => undefined)
      }
      if (outcome === 'refused' && (await store.findKeys())?.data !== text)
        throw new Error('keys that are damaged were replaced')
      return outcome
    },
  }
}

function keySet(store: Store): KeySet {
  return new KeySet({
    settings: { lifetimes: LIFETIMES } as Settings,
    store: checkedStore(store, () => undefined),
    sealer: undefined,
    now: () => NOW,
    emit: () => undefined,
  })
}

function materialOf({ keys }: { readonly keys: readonly object[] }): string[] {
  return keys.map((key) => {
    const { n, x, y } = key as Record<string, unknown>
    return JSON.stringify([n, x, y])
  })
}
