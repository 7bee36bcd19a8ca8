import { claimsBeyond } from '../authorization/claims-request.js'
import { findClient } from '../clients/find.js'
import { type PageReply, page, redirect } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import { describeClaim } from '../standard-claims.js'
import type { Grant } from '../store/records.js'
import { type SignedInUser, signedInUser } from './user.js'

/** The page on which users see what they have allowed, and withdraw it. */
export async function showApplications(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const user = await signedInUser(runtime, request.host)
  return user === undefined ? toLogin(runtime, request) : applicationsPage(runtime, request, user)
}

/** Withdraws one grant, and with it every token. */
export async function withdraw(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const user = await signedInUser(runtime, request.host)
  if (user === undefined) return toLogin(runtime, request)
  const grantId = request.parameters.get('grant') ?? ''
  const grant = await runtime.store.revokeGrant(grantId, user.id)
  if (grant !== undefined) {
    runtime.emit('grant.revoked', { grantId, userId: user.id, clientId: grant.clientId, by: 'user' })
  }
  return redirect(pathOf(runtime))
}

/** csurf refused the form: nothing is withdrawn, and the page is shown again. */
export async function refuseWithdrawal(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const user = await signedInUser(runtime, request.host)
  if (user === undefined) return toLogin(runtime, request)
  const notice = 'This page had expired. Nothing was changed; please try again.'
  return applicationsPage(runtime, request, user, { status: 403, notice })
}

async function applicationsPage(
  runtime: Runtime,
  { csrfToken }: FormRequest,
  user: SignedInUser,
  { status = 200, notice }: { readonly status?: number; readonly notice?: string } = {},
): Promise<PageReply> {
  const grants = await runtime.store.listGrants({ userId: user.id })
  const applications = await Promise.all(grants.map((grant) => application(runtime, grant)))
  const { id, name, email } = user
  const locals = {
    user: { id, name, email },
    applications,
    action: pathOf(runtime),
    csrfToken: csrfToken(),
    notice,
  }
  return page('authorized-applications', 'Applications with access', locals, status)
}

async function application(runtime: Runtime, grant: Grant) {
  const client = await findClient(runtime, grant.clientId)
  const description = (name: string) => runtime.settings.scopes.get(name)?.description ?? name
  const scopes = [...new Set(Object.values(grant.access).flat())]
  return {
    grantId: grant.id,
    client: { id: grant.clientId, name: client?.name ?? grant.clientId, uri: client?.uri },
    scopes: scopes.map((name) => ({ name, description: description(name) })),
    claims: claimsBeyond(grant.claims ?? [], scopes).map((name) => ({
      name,
      description: describeClaim(name),
    })),
    resources: Object.keys(grant.access).filter((resource) => resource !== runtime.settings.origin),
    createdAt: new Date(grant.createdAt),
    lastUsedAt: grant.lastUsedAt === undefined ? undefined : new Date(grant.lastUsedAt),
  }
}

function toLogin(runtime: Runtime, { host }: FormRequest): PageReply {
  return redirect(runtime.settings.loginUrl(host, pathOf(runtime), {}))
}

function pathOf({ settings }: Runtime): string {
  return `${settings.mount}/authorized-applications`
}
