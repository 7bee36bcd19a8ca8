import { defineCommand, STORE_FLAG } from './command.js'
import { print } from './io.js'
import { locate, locationName } from './location.js'
import { migrateStoreAt } from './store.js'
import { json, visible } from './terminal.js'

export const migrate = defineCommand({
  name: 'migrate',
  summary: 'Bring the tables of the store up to date; makes a file that is not there',
  flags: STORE_FLAG,
  notes:
    'Your app does this by itself when it starts. For a PostgreSQL user that may not create tables, run it as one that may.',
  async run(args, io) {
    const location = locate(args, io)
    const created = location.kind === 'file' && !location.exists
    const { from, to } = await migrateStoreAt(location, io)
    const name = locationName(location)
    const answer = { store: name, created, from, to }
    const done = from === to ? `is up to date (version ${to})` : `was brought from version ${from} to ${to}`
    const text = created ? `${name} was created (version ${to}).` : `${name} ${done}.`
    await print(io, args.has('json') ? `${json(answer)}\n` : `${visible(text)}\n`)
    return undefined
  },
})
