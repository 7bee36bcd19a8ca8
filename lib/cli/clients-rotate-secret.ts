import { LONGEST_OVERLAP } from '../clients/registry.js'
import { noSuchClient } from './client-view.js'
import { defineCommand, STORE_FLAG } from './command.js'
import { UsageError } from './failure.js'
import { asHost, HOST_FLAGS } from './host.js'
import { showSecret } from './secret-once.js'
import { withStore } from './store.js'
import { duration, isoTime } from './time.js'

const MOST = `${LONGEST_OVERLAP / 86_400}d`

export const clientsRotateSecret = defineCommand({
  name: 'clients rotate-secret',
  summary: 'Give a client a new secret, which is shown once',
  operand: 'client id',
  flags: {
    overlap: {
      value: '7d',
      about: `For how long the old one counts beside it, at most ${MOST}. Default: it ends at once.`,
    },
    ...STORE_FLAG,
    ...HOST_FLAGS,
  },
  notes: 'A client with client_secret_jwt needs OAUTH_SECRET, with which its secret is encrypted.',
  async run(args, io) {
    const id = args.operand ?? ''
    const given = args.text('overlap') ?? '0'
    const overlap = duration('--overlap', given)
    if (overlap > LONGEST_OVERLAP)
      throw new UsageError(`--overlap is at most ${MOST}, and ${given} is more. Write --overlap ${MOST}.`)
    const rotated = await withStore(args, io, async (store) => {
      if ((await store.findClient(id)) === undefined) throw noSuchClient(id)
      return asHost(store, args, io, ({ clients }) => clients.rotateSecret(id, { overlap }))
    })
    const { previous_client_secret_expires_at: endsAt, ...others } = rotated
    const end = endsAt === undefined ? undefined : isoTime(endsAt * 1000)
    const answer = { ...others, ...(end !== undefined && { previous_client_secret_expires_at: end }) }
    await showSecret(io, args.has('json'), answer, [
      ['client_id', id],
      ['client_secret', rotated.client_secret],
      ['old secret', end === undefined ? 'has ended' : `counts until ${end}`],
    ])
    return undefined
  },
})
