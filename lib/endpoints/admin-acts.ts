import { withdrawScopes } from '../grant-registry.js'
import { type PageReply, redirect } from '../http/reply.js'
import type { Client } from '../store/records.js'
import type { Text } from '../text.js'
import { type AdminRequest, adminPath } from './administrators.js'

/** Takes a scope out of grants: of one user, one client, one grant, or all. Answers of how many. */
export function withdrawScope(
  { runtime, by }: AdminRequest,
  whose: Parameters<typeof withdrawScopes>[1],
  scope: string,
): Promise<number> {
  return withdrawScopes(runtime, whose, [scope], by)
}

/** Ends one grant, of this user where one is named. Answers how many that were. */
export async function revokeGrant(
  { runtime: { store, emit }, by }: AdminRequest,
  grantId: string,
  userId?: string,
): Promise<number> {
  const grant = await store.revokeGrant(grantId, userId)
  if (grant === undefined) return 0
  emit('grant.revoked', { userId: grant.userId, clientId: grant.clientId, grantId, by })
  return 1
}

/** Ends all grants of a user. Answers how many there were. */
export async function revokeUser(
  { runtime: { store, emit }, by }: AdminRequest,
  userId: string,
): Promise<number> {
  const count = await store.revokeUser(userId)
  if (count > 0) emit('grant.revoked', { userId, by })
  return count
}

/** Ends all grants made to a client. Answers how many there were. */
export async function revokeClient(
  { runtime: { store, emit }, by }: AdminRequest,
  clientId: string,
): Promise<number> {
  const count = await store.revokeClient(clientId)
  if (count > 0) emit('grant.revoked', { clientId, by })
  return count
}

const DONE = ['verified', 'unverified', 'blocked', 'unblocked', 'deleted', 'revoked', 'withdrawn'] as const

/** Back to a page, which says what was done. */
export function done(
  { runtime }: AdminRequest,
  page: string,
  query: Readonly<Record<string, string>>,
  what: (typeof DONE)[number],
  count?: number,
): PageReply {
  return redirect(adminPath(runtime, page, { ...query, done: what, count: count?.toString() }))
}

/** What a page about a client can see of it, so that no link can say otherwise. */
const VISIBLE: Readonly<Record<string, (client: Client) => boolean>> = {
  verified: ({ verified }) => verified === true,
  unverified: ({ verified }) => verified !== true,
  blocked: ({ disabled }) => disabled,
  unblocked: ({ disabled }) => !disabled,
  deleted: () => false,
}

/**
 * What was done before this page, as its query says: nothing but our own words and a number, nothing where a link of another site says it, and of
 * `client` nothing that is not so.
 */
export function doneBefore({ request }: AdminRequest, client?: Client): Text | undefined {
  const { parameters, crossOrigin } = request
  if (crossOrigin) return undefined
  const what = DONE.find((known) => known === parameters.get('done'))
  if (what !== undefined && client !== undefined && VISIBLE[what]?.(client) === false) return undefined
  const count = parameters.get('count') ?? '0'
  return what && /^\d{1,9}$/.test(count) ? { key: `admin.done.${what}`, values: { count } } : undefined
}
