import { confirmed } from './ask.js'
import { noSuchClient } from './client-view.js'
import { defineCommand, STORE_FLAG, YES_FLAG } from './command.js'
import { Failure } from './failure.js'
import { countedGrants, countedUsers } from './grants-list.js'
import { asHost, HOST_FLAGS } from './host.js'
import { print } from './io.js'
import { countGrants } from './pages.js'
import { withStore } from './store.js'
import { json, visible } from './terminal.js'

export const clientsRemove = defineCommand({
  name: 'clients remove',
  summary: 'Delete a client, and end all that users allowed it',
  operand: 'client id',
  flags: { ...YES_FLAG, ...STORE_FLAG, ...HOST_FLAGS },
  notes: 'To keep it and give it nothing any more: clients update <client id> --disable',
  async run(args, io) {
    const id = args.operand ?? ''
    await withStore(args, io, async (store) => {
      const client = await store.findClient(id)
      if (client === undefined && !store.isUnreadable(id)) throw noSuchClient(id)
      const grants = await countGrants(store, io, { clientId: id })
      const question = `Delete '${visible(client?.name ?? id)}' (${visible(id)}), and end the access that ${countedUsers(grants)} allowed it?`
      if (!(await confirmed(io, args.has('yes'), question)))
        throw new Failure('not_confirmed', 'Nothing was deleted.')
      if (!(await asHost(store, args, io, ({ clients }) => clients.delete(id)))) throw noSuchClient(id)
      const answer = { client_id: id, deleted: true, grants }
      await print(
        io,
        args.has('json') ? `${json(answer)}\n` : `Deleted ${visible(id)}, and ${countedGrants(grants)}.\n`,
      )
    })
    return undefined
  },
})
