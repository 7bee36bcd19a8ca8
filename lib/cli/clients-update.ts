import type { Judgement } from '../clients/judgement.js'
import type { ClientMetadata } from '../options.js'
import type { Arguments } from './arguments.js'
import { METADATA_FLAGS, metadataOf, namingFlags } from './client-flags.js'
import { clientView, noSuchClient } from './client-view.js'
import { defineCommand, STORE_FLAG } from './command.js'
import { UsageError } from './failure.js'
import { asHost, CLIENT_RULE_FLAGS, HOST_FLAGS, type Host } from './host.js'
import { type Io, print } from './io.js'
import { withStore } from './store.js'
import { json } from './terminal.js'

/** What can be said of a client whatever its metadata are. */
const JUDGEMENTS: Readonly<Record<string, Judgement>> = {
  disable: 'blocked',
  enable: 'unblocked',
  verify: 'verified',
  unverify: 'unverified',
}

export const clientsUpdate = defineCommand({
  name: 'clients update',
  summary: 'Change the metadata of a client, or disable or verify it',
  operand: 'client id',
  flags: {
    ...METADATA_FLAGS,
    'ask-consent': { about: 'Ask users again: takes --skip-consent back.' },
    disable: { about: 'Treat it as unknown, and end what users allowed it.' },
    enable: { about: 'Let it ask users again.' },
    verify: { about: 'Say that you have looked at it.' },
    unverify: { about: 'Take that back.' },
    ...STORE_FLAG,
    ...CLIENT_RULE_FLAGS,
    ...HOST_FLAGS,
  },
  notes: `What is named takes the place of what was there: name every redirect URI that shall count.
What is not named stays. The secret is changed by clients rotate-secret.`,
  async run(args, io) {
    const id = args.operand ?? ''
    const changes = changesOf(args, io)
    const judgements = args.given(...Object.keys(JUDGEMENTS))
    if (Object.keys(changes).length + judgements.length === 0)
      throw new UsageError(`Say what shall change: clients update ${id} --name "New name"`)
    const client = await withStore(args, io, async (store) => {
      if ((await store.findClient(id)) === undefined) throw noSuchClient(id)
      await asHost(store, args, io, async (host) => {
        if (Object.keys(changes).length > 0) await namingFlags(host.clients.update(id, changes))
        for (const flag of judgements) await judge(host, id, JUDGEMENTS[flag] as Judgement)
      })
      return store.findClient(id)
    })
    const changed = [...Object.keys(changes), ...judgements.map((flag) => JUDGEMENTS[flag])]
    await print(
      io,
      args.has('json') ? `${json(client && clientView(client), 2)}\n` : `Changed: ${changed.join(', ')}.\n`,
    )
    return undefined
  },
})

/** As on the page `/admin`: else the access tokens of a blocked client would be good until they expire, and it would have all of it back one day. */
async function judge({ clients, grants }: Host, id: string, judgement: Judgement): Promise<void> {
  await clients.judge(id, judgement)
  if (judgement === 'blocked') await grants.revokeClient(id)
}

function changesOf(args: Arguments, io: Io): ClientMetadata {
  args.oneOf('disable', 'enable')
  args.oneOf('verify', 'unverify')
  args.oneOf('skip-consent', 'ask-consent')
  args.oneOf('jwks', 'jwks-uri')
  return { ...metadataOf(args, io), ...(args.has('ask-consent') && { skip_consent: false }) }
}
