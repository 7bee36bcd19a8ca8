import { defineCommand, STORE_FLAG } from './command.js'
import { asHost, HOST_FLAGS } from './host.js'
import { print, remark } from './io.js'
import { rotateKeys } from './keys.js'
import { KEY_COLUMNS, keyView } from './keys-list.js'
import { withStore } from './store.js'
import { table } from './table.js'
import { json } from './terminal.js'

export const keysRotate = defineCommand({
  name: 'keys rotate',
  summary: 'Let the next signing keys sign now',
  flags: { ...STORE_FLAG, ...HOST_FLAGS },
  notes: `Where your app has the option secret, the keys are encrypted: set OAUTH_SECRET to it.
What the old keys signed still verifies. A next key that relying parties may not have seen yet waits until they have, six minutes at most.`,
  async run(args, io) {
    const keys = await withStore(args, io, (store) =>
      asHost(store, args, io, async ({ emit }) => {
        const rotated = await rotateKeys(store, io)
        emit('keys.rotated', { by: 'host' })
        return rotated
      }),
    )
    await print(io, args.has('json') ? `${json(keys.map(keyView), 2)}\n` : table(io, KEY_COLUMNS, keys))
    if (!args.has('json')) await remark(io, 'Every process of your app signs with them within a minute.')
    return undefined
  },
})
