import type { Grants } from '../grant-registry.js'
import { isScopeToken } from '../scopes.js'
import type { Store } from '../store/store.js'
import type { Arguments } from './arguments.js'
import { confirmed } from './ask.js'
import { defineCommand, STORE_FLAG, YES_FLAG } from './command.js'
import { Failure, UsageError } from './failure.js'
import { countedGrants } from './grants-list.js'
import { asHost, HOST_FLAGS } from './host.js'
import { type Io, print } from './io.js'
import { countGrants } from './pages.js'
import { withStore } from './store.js'
import { json, visible } from './terminal.js'

/** One grant, or all of a user, of a client, or of both. */
interface Target {
  readonly id?: string
  readonly userId?: string
  readonly clientId?: string
}

export const grantsRevoke = defineCommand({
  name: 'grants revoke',
  summary: 'End what users allowed clients, or one scope of it',
  operand: 'grant id',
  optionalOperand: true,
  flags: {
    user: {
      value: 'user id',
      about: 'All that this user allowed; with --client, what they allowed that one.',
    },
    client: { value: 'client id', about: 'All that was allowed to this client.' },
    scope: { value: 'name', many: true, about: 'Only this scope; the rest stays allowed.' },
    ...YES_FLAG,
    ...STORE_FLAG,
    ...HOST_FLAGS,
  },
  notes:
    'Tokens end at once where your app checks them; JWT access tokens at APIs elsewhere live until they expire.',
  async run(args, io) {
    const target = targetOf(args)
    const scopes = scopesOf(args)
    const revoked = await withStore(args, io, async (store) => {
      await confirm(store, args, io, target)
      return asHost(store, args, io, ({ grants }) =>
        scopes === undefined ? revoke(store, grants, target) : grants.withdraw(target.id ?? target, scopes),
      )
    })
    if (revoked === 0) throw nothing(target, scopes)
    const done = scopes === undefined ? 'Revoked' : `Withdrew ${scopes.join(' ')} from`
    await print(
      io,
      args.has('json') ? `${json({ grants: revoked })}\n` : `${done} ${countedGrants(revoked)}.\n`,
    )
    return undefined
  },
})

function targetOf(args: Arguments): Target {
  const userId = args.text('user')
  const clientId = args.text('client')
  const id = args.operand
  if (id !== undefined && (userId ?? clientId) !== undefined)
    throw new UsageError('A grant id names one grant. Leave --user and --client out.')
  if (id !== undefined) return { id }
  if ((userId ?? clientId) === undefined)
    throw new UsageError(
      'Say what to revoke: grants revoke <grant id>, or --user <user id>, or --client <client id>.',
    )
  return { ...(userId !== undefined && { userId }), ...(clientId !== undefined && { clientId }) }
}

function scopesOf(args: Arguments): readonly string[] | undefined {
  const scopes = args.all('scope')?.flatMap((text) => text.split(/\s+/).filter(Boolean))
  if (scopes === undefined || (scopes.length > 0 && scopes.every(isScopeToken))) return scopes
  throw new UsageError(`--scope '${args.text('scope')}' is no scope. Write its name: --scope photos.`)
}

/** An id names one grant; a user or a client may stand for more than somebody thinks. */
async function confirm(store: Store, args: Arguments, io: Io, target: Target): Promise<void> {
  const { id, userId, clientId } = target
  if (id !== undefined || args.has('yes')) return
  const grants = await countGrants(store, io, target)
  if (grants === 0) throw nothing(target, scopesOf(args))
  const scopes = scopesOf(args)
  const what = scopes === undefined ? 'End' : `Take ${visible(scopes.join(' '))} out of`
  const whose = [userId && ` of the user '${userId}'`, clientId && ` to the client '${clientId}'`]
  const question = `${what} ${countedGrants(grants)}${visible(whose.filter(Boolean).join(''))}?`
  if (!(await confirmed(io, false, question))) throw new Failure('not_confirmed', 'Nothing was changed.')
}

async function revoke(store: Store, grants: Grants, { id, userId, clientId }: Target): Promise<number> {
  if (userId !== undefined && clientId === undefined) return grants.revokeUser(userId)
  if (userId === undefined && clientId !== undefined) return grants.revokeClient(clientId)
  const grantId = id ?? (await store.findGrant(userId ?? '', clientId ?? ''))?.id
  return grantId !== undefined && (await grants.revoke(grantId)) ? 1 : 0
}

function nothing({ id }: Target, scopes: readonly string[] | undefined): Failure {
  const what = id === undefined ? 'There is no such grant' : `There is no grant '${id}'`
  const withScope = scopes === undefined ? '' : ` with the scope ${scopes.join(' ')}`
  return new Failure('no_grant', `${what}${withScope}. Those in the store: grants list`)
}
