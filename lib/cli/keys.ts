import { ConfigurationError } from '../errors.js'
import {
  broughtForward,
  type KeyDocument,
  keyStates,
  parseDocument,
  withoutKey,
} from '../keys/key-document.js'
import type { Sealer } from '../keys/keys.js'
import { createSealer, isSealed } from '../keys/sealing.js'
import type { SigningKey } from '../keys/signing-keys.js'
import { longSecrets } from '../secrets.js'
import type { Store } from '../store/store.js'
import { Failure } from './failure.js'
import { secretOf } from './host.js'
import type { Io } from './io.js'
import { visible } from './terminal.js'

export const NO_KEYS =
  'There are no signing keys in this store. Your app makes them when it starts; keys of the option keys are in its code.'

/** The keys in a store as they are. Nothing that is due is done to them: that depends on the options of the app, which does it itself. */
interface ReadKeys {
  readonly document: KeyDocument
  readonly revision: number
  /** What encrypted them; undefined where they are not encrypted, and so shall stay. */
  readonly sealer: Sealer | undefined
}

/** The keys without anything private. */
export function publicView(document: KeyDocument, now: number): readonly SigningKey[] {
  return keyStates(document, now).map(({ key: { kid, alg, createdAt, signsFrom }, state }) => {
    return { kid, alg, state, createdAt, signsFrom }
  })
}

/** Undefined where there are none. */
export async function readKeys(store: Store, io: Io): Promise<ReadKeys | undefined> {
  const stored = await store.findKeys()
  if (stored === undefined) return undefined
  const { revision, data } = stored
  if (!isSealed(data)) return { document: parseDocument(data), revision, sealer: undefined }
  const sealer = createSealer(longSecrets(secretOf(io), 'secret'))
  if (sealer === undefined)
    throw new ConfigurationError(
      'secret',
      'is missing, and the signing keys in the store are encrypted',
      'Set OAUTH_SECRET.',
    )
  return { document: parseDocument(await sealer.open(data)), revision, sealer }
}

/** Lets the next keys sign. Answers those that will sign instead of others. */
export async function rotateKeys(store: Store, io: Io): Promise<readonly SigningKey[]> {
  let changed: KeyDocument = []
  const rotated = await changeKeys(store, io, (document) => {
    const all = broughtForward(document, 'now', io.now())
    changed = all.filter((key, index) => key !== document[index])
    if (changed.length > 0) return all
    throw new Failure(
      'no_next_key',
      'No key is ready to follow. Your app makes the next ones while it runs, within a minute: rotate again then.',
    )
  })
  return publicView(rotated, io.now()).filter(({ kid }) => changed.some((key) => key.kid === kid))
}

/** Ends a key; where it signed, the next one does now. */
export async function revokeKey(store: Store, io: Io, kid: string): Promise<void> {
  await changeKeys(store, io, (document) => {
    if (document.some((key) => key.kid === kid)) return withoutKey(document, kid, io.now())
    throw new Failure('no_such_key', `There is no signing key '${visible(kid)}'. See them with: keys list`)
  })
}

/** Where somebody else changes the keys meanwhile, it begins anew. */
async function changeKeys(
  store: Store,
  io: Io,
  change: (document: KeyDocument) => KeyDocument,
): Promise<KeyDocument> {
  for (;;) {
    const keys = await readKeys(store, io)
    if (keys === undefined) throw new Failure('no_keys', NO_KEYS)
    const { document, revision, sealer } = keys
    const changed = change(document)
    const text = JSON.stringify(changed)
    const data = sealer === undefined ? text : await sealer.seal(text)
    if (await store.saveKeys({ revision: revision + 1, data })) return changed
  }
}
