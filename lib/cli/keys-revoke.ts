import { confirmed } from './ask.js'
import { defineCommand, STORE_FLAG, YES_FLAG } from './command.js'
import { Failure } from './failure.js'
import { asHost, HOST_FLAGS } from './host.js'
import { print } from './io.js'
import { revokeKey } from './keys.js'
import { withStore } from './store.js'
import { json, visible } from './terminal.js'

export const keysRevoke = defineCommand({
  name: 'keys revoke',
  summary: 'End a signing key that was stolen',
  operand: 'kid',
  flags: { ...YES_FLAG, ...STORE_FLAG, ...HOST_FLAGS },
  notes: `What it signed verifies no more. Where it signed, the next one does at once.
Every process of your app follows within a minute, and whoever keeps the JWK Set within five.
Where your app has the option secret, the keys are encrypted: set OAUTH_SECRET to it.`,
  async run(args, io) {
    const kid = args.operand ?? ''
    const question = `End the key ${visible(kid)}, and all that it signed?`
    if (!(await confirmed(io, args.has('yes'), question)))
      throw new Failure('not_confirmed', 'Nothing was changed.')
    await withStore(args, io, (store) =>
      asHost(store, args, io, async ({ emit }) => {
        await revokeKey(store, io, kid)
        emit('keys.rotated', { by: 'host' })
      }),
    )
    await print(io, args.has('json') ? `${json({ kid, revoked: true })}\n` : `Ended ${visible(kid)}.\n`)
    return undefined
  },
})
