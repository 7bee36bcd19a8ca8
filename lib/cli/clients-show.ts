import { clientView, noSuchClient } from './client-view.js'
import { defineCommand, STORE_FLAG } from './command.js'
import { print } from './io.js'
import { withStore } from './store.js'
import { list } from './table.js'
import { json } from './terminal.js'

export const clientsShow = defineCommand({
  name: 'clients show',
  summary: 'Show all metadata of a client',
  operand: 'client id',
  flags: STORE_FLAG,
  async run(args, io) {
    const id = args.operand ?? ''
    const client = await withStore(args, io, async (store) => store.findClient(id))
    if (client === undefined) throw noSuchClient(id)
    const view = clientView(client)
    const lines = Object.entries(view).map(([name, value]): [string, string] => [name, text(value)])
    await print(io, args.has('json') ? `${json(view, 2)}\n` : list(lines))
    return undefined
  },
})

function text(value: unknown): string {
  if (typeof value === 'string') return value
  const isWords = Array.isArray(value) && value.every((one) => typeof one === 'string' && !one.includes(' '))
  return isWords ? value.join(' ') || '(none)' : JSON.stringify(value)
}
