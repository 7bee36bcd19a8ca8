import { shownName } from '../client-name.js'
import type { Judgement } from '../clients/judgement.js'
import { toMetadata } from '../clients/metadata.js'
import { ClientRegistry } from '../clients/registry.js'
import { type PageReply, page } from '../http/reply.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { done, doneBefore, revokeClient, revokeGrant, withdrawScope } from './admin-acts.js'
import { type Asked, confirmPage } from './admin-confirm.js'
import { shownClient, shownGrant } from './admin-list.js'
import { type AdminPage, type AdminRequest, adminPath, type Said } from './administrators.js'
import { ON_PAGE, pageOf, positionText, readPosition } from './paging.js'

const AT = '/client'
const JUDGEMENTS: Readonly<Record<string, Judgement>> = {
  verify: 'verified',
  unverify: 'unverified',
  block: 'blocked',
  unblock: 'unblocked',
}

/** One client: what it says of itself, who has allowed it what, and what can be done about it. */
export const adminClient: AdminPage = {
  async show(admin, said) {
    const client = await find(admin)
    if (client === undefined) return nowhere(admin)
    const asked = said === undefined ? askedFor(admin, client) : undefined
    return asked === undefined ? clientPage(admin, client, said) : confirmPage(admin, asked)
  },

  async act(admin) {
    const client = await find(admin)
    if (client === undefined) return nowhere(admin)
    const { parameters } = admin.request
    const act = parameters.get('act') ?? ''
    const scope = parameters.get('scope')
    const grantId = parameters.get('grant')
    const back = (what: Parameters<typeof done>[3], count?: number) =>
      done(admin, AT, { id: client.id }, what, count)
    if (grantId !== undefined) return back('revoked', await revokeGrant(admin, grantId))
    if (act === 'revoke') return back('revoked', await revokeClient(admin, client.id))
    if (act === 'withdraw' && scope !== undefined)
      return back('withdrawn', await withdrawScope(admin, { clientId: client.id }, scope))
    const judgement = Object.hasOwn(JUDGEMENTS, act) ? JUDGEMENTS[act] : undefined
    if (judgement === undefined && act !== 'delete') return clientPage(admin, client, CHOOSE)
    if (isStatic(admin.runtime, client)) return clientPage(admin, client, STATIC)
    return judgement === undefined ? remove(admin, client) : judge(admin, client, judgement, back)
  },
}

const CHOOSE: Said = { notice: { key: 'admin.choose' }, status: 400 }
const STATIC: Said = { notice: { key: 'admin.static' }, status: 400 }
const CHANGED: Said = { notice: { key: 'admin.client.changed' }, status: 409 }
/** What lets a client do more, so that it counts what the administrator has seen of it. It cannot keep itself from the others by changing all the time. */
const APPROVING: readonly Judgement[] = ['verified', 'unblocked']

/** Blocking ends what users have allowed: else the access tokens would be good until they expire, and the client would have it all back when it is unblocked. */
async function judge(
  admin: AdminRequest,
  client: Client,
  judgement: Judgement,
  back: (what: Judgement) => PageReply,
): Promise<PageReply> {
  const { id } = client
  const seen = APPROVING.includes(judgement)
    ? Number(admin.request.parameters.get('revision') ?? Number.NaN)
    : undefined
  const isDone = await new ClientRegistry(admin.runtime, admin.by).judge(id, judgement, seen)
  if (!isDone) return clientPage(admin, (await find(admin)) ?? client, CHANGED)
  if (judgement === 'blocked') await revokeClient(admin, id)
  return back(judgement)
}

async function remove(admin: AdminRequest, { id }: Client): Promise<PageReply> {
  await new ClientRegistry(admin.runtime, admin.by).delete(id)
  return done(admin, '', {}, 'deleted')
}

/** Blocked ones too, so not as everybody else finds them. */
async function find({ runtime, request }: AdminRequest): Promise<Client | undefined> {
  const id = request.parameters.get('id')
  return id === undefined ? undefined : (runtime.clients.get(id) ?? (await runtime.store.findClient(id)))
}

function isStatic({ clients }: Runtime, { id }: Client): boolean {
  return clients.has(id)
}

function askedFor({ request: { parameters }, runtime }: AdminRequest, client: Client): Asked | undefined {
  const { id } = client
  const scope = parameters.get('scope')
  const asks = (what: Asked['what'], act: string): Asked => ({
    ...{ what, at: AT, values: { client: shownName(client), ...(scope && { scope }) } },
    fields: { id, act, ...(scope && { scope }) },
  })
  switch (parameters.get('confirm')) {
    case 'revoke':
      return asks('revoke-client', 'revoke')
    case 'withdraw':
      return scope === undefined ? undefined : asks('withdraw-client', 'withdraw')
    case 'block':
      return isStatic(runtime, client) ? undefined : asks('block', 'block')
    case 'delete':
      return isStatic(runtime, client) ? undefined : asks('delete', 'delete')
    default:
      return undefined
  }
}

async function clientPage(admin: AdminRequest, client: Client, said?: Said): Promise<PageReply> {
  const { runtime, request } = admin
  const after = readPosition(request.parameters.get('after'))
  const clientId = client.id
  const { items, last } = pageOf(
    await runtime.store.listGrants({ clientId, limit: ON_PAGE + 1, ...(after && { after }) }),
  )
  const locals = {
    broad: true,
    section: 'clients',
    client: {
      ...shownClient(client, isStatic(runtime, client)),
      ownerId: client.ownerId,
      expiresAt: client.expiresAt === undefined ? undefined : new Date(client.expiresAt),
      revision: client.revision,
      redirectUris: client.redirectUris,
      ...metadataOf(client),
    },
    grants: items.map(shownGrant),
    isFirst: after === undefined,
    next: last && adminPath(runtime, AT, { id: clientId, after: positionText(last) }),
    scopes: [...runtime.settings.scopes.keys()],
    notice: said?.notice ?? doneBefore(admin, client),
    done: said === undefined,
    action: adminPath(runtime, AT),
    path: adminPath(runtime),
    csrfToken: request.csrfToken(),
  }
  return page('admin-client', shownName(client), locals, said?.status)
}

interface Member {
  readonly name: string
  readonly value: string
}

/** Its names, and the pages that users see links to. */
const SHOWN_TO_USERS = /^(?:client_name|client_uri|logo_uri|policy_uri|tos_uri)(?:#|$)/

/** All that is registered and not shown in words already; `said` is what users get to see of it. */
function metadataOf(client: Client): { readonly said: Member[]; readonly metadata: Member[] } {
  const { client_id, client_name, redirect_uris, owner_id, verified, disabled, ...others } =
    toMetadata(client)
  const members = Object.entries(others).map(([name, value]) => ({ name, value: textOf(value) }))
  const isShown = ({ name }: Member) => SHOWN_TO_USERS.test(name)
  return { said: members.filter(isShown), metadata: members.filter((member) => !isShown(member)) }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  const isList = Array.isArray(value) && value.every((item) => typeof item === 'string')
  return isList ? value.join('\n') : JSON.stringify(value, undefined, 1)
}

function nowhere({ runtime }: AdminRequest): PageReply {
  const locals = { broad: true, section: 'clients', client: undefined, path: adminPath(runtime) }
  return page('admin-client', { key: 'admin.client.none' }, locals, 404)
}
