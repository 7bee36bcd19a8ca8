import type { Judgement } from '../clients/judgement.js'
import type { ClientMetadata } from '../options.js'
import type { Client } from '../store/records.js'
import type { Store } from '../store/store.js'
import type { Arguments } from './arguments.js'
import { confirmed } from './ask.js'
import { METADATA_FLAGS, metadataOf, namingFlags } from './client-flags.js'
import { clientView, noSuchClient } from './client-view.js'
import { defineCommand, STORE_FLAG, YES_FLAG } from './command.js'
import { Failure, UsageError } from './failure.js'
import { countedUsers } from './grants-list.js'
import { asHost, CLIENT_RULE_FLAGS, HOST_FLAGS, type Host } from './host.js'
import { type Io, print } from './io.js'
import { countGrants } from './pages.js'
import { withStore } from './store.js'
import { json, visible } from './terminal.js'

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
    disable: { about: 'Treat it as unknown, and end what users allowed it, for good; asks first.' },
    enable: { about: 'Let it ask users again.' },
    verify: { about: 'Say that you have looked at it.' },
    unverify: { about: 'Take that back.' },
    ...YES_FLAG,
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
    let ended = 0
    const client = await withStore(args, io, async (store) => {
      const known = await store.findClient(id)
      if (known === undefined) throw noSuchClient(id)
      if (args.has('disable')) await confirmBlocking(store, args, io, known)
      await asHost(store, args, io, async (host) => {
        if (Object.keys(changes).length > 0) await namingFlags(host.clients.update(id, changes))
        for (const flag of judgements) ended += await judge(host, id, JUDGEMENTS[flag] as Judgement)
      })
      return store.findClient(id)
    })
    const changed = [...Object.keys(changes), ...judgements.map((flag) => JUDGEMENTS[flag])].join(', ')
    const told =
      ended === 0
        ? ''
        : ` The access of ${countedUsers(ended)} has ended, and --enable does not bring it back.`
    await print(
      io,
      args.has('json') ? `${json(client && clientView(client), 2)}\n` : `Changed: ${changed}.${told}\n`,
    )
    return undefined
  },
})

async function confirmBlocking(store: Store, args: Arguments, io: Io, { id, name }: Client): Promise<void> {
  if (args.has('yes')) return
  const users = countedUsers(await countGrants(store, io, { clientId: id }))
  const question = `Block '${visible(name)}' (${visible(id)}), and end the access that ${users} allowed it? Unblocking it does not bring that back.`
  if (!(await confirmed(io, false, question))) throw new Failure('not_confirmed', 'Nothing was changed.')
}

/**
 * As on the page `/admin`: else the access tokens of a blocked client would be good until they expire, and it would have all of it back one day.
 * Answers how many users it has no access of any more.
 */
async function judge({ clients, grants }: Host, id: string, judgement: Judgement): Promise<number> {
  await clients.judge(id, judgement)
  return judgement === 'blocked' ? grants.revokeClient(id) : 0
}

function changesOf(args: Arguments, io: Io): ClientMetadata {
  args.oneOf('disable', 'enable')
  args.oneOf('verify', 'unverify')
  args.oneOf('skip-consent', 'ask-consent')
  args.oneOf('jwks', 'jwks-uri')
  return { ...metadataOf(args, io), ...(args.has('ask-consent') && { skip_consent: false }) }
}
