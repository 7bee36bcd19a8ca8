import type { SigningKey } from '../keys/signing-keys.js'
import { defineCommand, STORE_FLAG } from './command.js'
import { print, remark } from './io.js'
import { NO_KEYS, publicView, readKeys } from './keys.js'
import { withStore } from './store.js'
import { type Column, table } from './table.js'
import { json } from './terminal.js'
import { isoTime, shortTime } from './time.js'

export const KEY_COLUMNS: readonly Column<SigningKey>[] = [
  { title: 'KID', of: ({ kid }) => kid },
  { title: 'ALG', of: ({ alg }) => alg },
  { title: 'STATE', of: ({ state }) => state },
  { title: 'CREATED (UTC)', of: ({ createdAt }) => shortTime(createdAt) },
  { title: 'SIGNS FROM', of: ({ signsFrom }) => shortTime(signsFrom) },
]

export const keysList = defineCommand({
  name: 'keys list',
  summary: 'List the signing keys, without their private parts',
  flags: STORE_FLAG,
  notes: 'Where your app has the option secret, the keys are encrypted: set OAUTH_SECRET to it.',
  async run(args, io) {
    const stored = await withStore(args, io, (store) => readKeys(store, io))
    const keys = stored === undefined ? [] : publicView(stored.document, io.now())
    if (stored === undefined && !args.has('json')) {
      await remark(io, NO_KEYS)
      return undefined
    }
    await print(io, args.has('json') ? `${json(keys.map(keyView), 2)}\n` : table(io, KEY_COLUMNS, keys))
    return undefined
  },
})

export function keyView({ createdAt, signsFrom, ...others }: SigningKey): Readonly<Record<string, unknown>> {
  return {
    ...others,
    ...(createdAt !== undefined && { createdAt: isoTime(createdAt) }),
    ...(signsFrom !== undefined && { signsFrom: isoTime(signsFrom) }),
  }
}
