import { claimsBeyond } from '../authorization/claims-request.js'
import { withdrawScopes } from '../grant-registry.js'
import { type PageReply, page, redirect } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import { optional } from '../optional.js'
import type { Runtime } from '../runtime.js'
import { describeClaim } from '../standard-claims.js'
import { NOWHERE } from '../store/merge-grants.js'
import type { Client, Grant } from '../store/records.js'
import type { Text } from '../text.js'
import { ON_PAGE, pageOf, positionText, readPosition } from './paging.js'
import { shownClient } from './shown-client.js'
import { type SignedInUser, signedInUser } from './user.js'

/** The page on which users see what they have allowed, and withdraw it. */
export async function showApplications(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const user = await signedInUser(runtime, request.host)
  return user === undefined ? toLogin(runtime, request) : applicationsPage(runtime, request, user)
}

/** Withdraws one scope of a grant, or all of it; and with it every token, or the scope from every token. */
export async function withdraw(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const user = await signedInUser(runtime, request.host)
  if (user === undefined) return toLogin(runtime, request)
  const { parameters } = request
  const id = parameters.get('grant') ?? ''
  // A scope that was sent but cannot be read must not end everything.
  const scope = parameters.get('scope')
  if (scope !== undefined) await withdrawScopes(runtime, { id, userId: user.id }, [scope], 'user')
  else if (!parameters.isRepeated('scope')) await endGrant(runtime, id, user)
  return redirect(pathOf(runtime))
}

/** csurf refused the form: nothing is withdrawn, and the page is shown again. */
export async function refuseWithdrawal(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const user = await signedInUser(runtime, request.host)
  if (user === undefined) return toLogin(runtime, request)
  return applicationsPage(runtime, request, user, { status: 403, notice: { key: 'authorized.expired' } })
}

async function endGrant({ store, emit }: Runtime, grantId: string, { id }: SignedInUser): Promise<void> {
  const grant = await store.revokeGrant(grantId, id)
  if (grant !== undefined)
    emit('grant.revoked', { grantId, userId: id, clientId: grant.clientId, by: 'user' })
}

async function applicationsPage(
  runtime: Runtime,
  { csrfToken, speech, parameters }: FormRequest,
  user: SignedInUser,
  { status = 200, notice }: { readonly status?: number; readonly notice?: Text } = {},
): Promise<PageReply> {
  const { id, name, email } = user
  const after = readPosition(parameters.get('after'))
  const found = await runtime.store.listGrants({
    userId: id,
    limit: ON_PAGE + 1,
    ...optional('after', after),
  })
  const { items, last } = pageOf(found)
  const clients = await clientsOf(runtime, items)
  const path = pathOf(runtime)
  const locals = {
    user: { id, name, email },
    applications: items.map((grant) => application(runtime, grant, clients.get(grant.clientId), speech.tags)),
    first: after && path,
    next: last && `${path}?${new URLSearchParams({ after: `${positionText(last)}` })}`,
    action: path,
    csrfToken: csrfToken(),
    notice,
  }
  return page('authorized-applications', { key: 'authorized.title' }, locals, status)
}

/** One after the other, so that one user's page does not take all connections of the store. Also such as are blocked, or that nobody could ask for any more. */
async function clientsOf(
  { clients, store }: Runtime,
  grants: readonly Grant[],
): Promise<ReadonlyMap<string, Client>> {
  const found = new Map<string, Client>()
  for (const clientId of new Set(grants.map((grant) => grant.clientId))) {
    const client = clients.get(clientId) ?? (await store.findClient(clientId))
    if (client !== undefined) found.set(clientId, client)
  }
  return found
}

function application(
  { settings }: Runtime,
  grant: Grant,
  client: Client | undefined,
  tags: readonly string[],
) {
  const scopes = [...new Set(Object.values(grant.access).flat())]
  return {
    grantId: grant.id,
    client: connected(grant.clientId, client, tags),
    scopes: scopes.map((name) => ({ name, description: settings.scopes.get(name)?.description ?? name })),
    claims: claimsBeyond(grant.claims ?? [], scopes).map((name) => ({
      name,
      description: describeClaim(name),
    })),
    resources: Object.keys(grant.access).filter(
      (resource) => resource !== settings.origin && resource !== NOWHERE,
    ),
    createdAt: new Date(grant.createdAt),
    lastUsedAt: grant.lastUsedAt === undefined ? undefined : new Date(grant.lastUsedAt),
    // What was kept while it might be is not shown any more either.
    lastUsedFrom: settings.keepAddresses ? grant.lastUsedFrom : undefined,
  }
}

/** A client with who has made it, and whether the host has looked at it; what the host itself has made needs no looking at. One that is gone has left its id. */
function connected(id: string, client: Client | undefined, tags: readonly string[]) {
  if (client === undefined)
    return { id, name: id, uri: undefined, host: undefined, madeBy: undefined, verified: false }
  const { name, uri, host, standing } = shownClient(client, tags)
  const verified = standing === 'registered' || standing === 'verified'
  return { id, name, uri, host, madeBy: MAKERS[client.source ?? 'host'], verified }
}

const MAKERS = { host: 'host', document: 'site', registration: 'itself', user: 'user' } as const

function toLogin(runtime: Runtime, { host }: FormRequest): PageReply {
  return redirect(runtime.settings.loginUrl(host, pathOf(runtime), {}))
}

function pathOf({ settings }: Runtime): string {
  return `${settings.mount}/authorized-applications`
}
