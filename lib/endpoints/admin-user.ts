import { shownName } from '../client-name.js'
import { type PageReply, page } from '../http/reply.js'
import type { Runtime } from '../runtime.js'
import type { Grant } from '../store/records.js'
import { done, doneBefore, revokeGrant, revokeUser, withdrawScope } from './admin-acts.js'
import { confirmPage } from './admin-confirm.js'
import { shownGrant } from './admin-list.js'
import { type AdminPage, type AdminRequest, adminPath, type Said } from './administrators.js'
import { ON_PAGE, pageOf, positionText, readPosition } from './paging.js'
import { shownUser } from './user.js'

const AT = '/user'

/** What one user has allowed. */
export const adminUser: AdminPage = {
  async show(admin, said) {
    const userId = idOf(admin)
    if (userId === undefined) return nobody(admin)
    const asks = admin.request.parameters.get('confirm') === 'revoke' && said === undefined
    return asks
      ? confirmPage(admin, {
          ...{ what: 'revoke-user', at: AT, values: { user: userId } },
          fields: { id: userId, act: 'revoke' },
        })
      : userPage(admin, userId, said)
  },

  async act(admin) {
    const userId = idOf(admin)
    if (userId === undefined) return nobody(admin)
    const { parameters } = admin.request
    const grantId = parameters.get('grant')
    const scope = parameters.get('scope')
    const act = parameters.get('act')
    const back = (what: 'revoked' | 'withdrawn', count: number) =>
      done(admin, AT, { id: userId }, what, count)
    if (grantId !== undefined && scope !== undefined)
      return back('withdrawn', await withdrawScope(admin, { id: grantId, userId }, scope))
    // A scope that was sent but cannot be read must not end everything.
    if (grantId !== undefined && !parameters.isRepeated('scope'))
      return back('revoked', await revokeGrant(admin, grantId, userId))
    if (act === 'revoke') return back('revoked', await revokeUser(admin, userId))
    return userPage(admin, userId, { notice: { key: 'admin.choose' }, status: 400 })
  },
}

/** What is longer is the id of nobody: written as it has to be in the Location of an answer, it is more than browsers take. */
const LONGEST_ID = 1000

function idOf({ request }: AdminRequest): string | undefined {
  const id = request.parameters.get('id')
  return id !== undefined && id.length <= LONGEST_ID ? id : undefined
}

async function userPage(admin: AdminRequest, userId: string, said?: Said): Promise<PageReply> {
  const { runtime, request } = admin
  const after = readPosition(request.parameters.get('after'))
  const grants = await runtime.store.listGrants({ userId, limit: ON_PAGE + 1, ...(after && { after }) })
  const { items, last } = pageOf(grants)
  const user = await runtime.settings.findUser(userId)
  const locals = {
    broad: true,
    section: 'users',
    user: { id: userId, known: user !== undefined, ...(user && shownUser(user)) },
    grants: await Promise.all(items.map((grant) => withClient(runtime, grant))),
    isFirst: after === undefined,
    next: last && adminPath(runtime, AT, { id: userId, after: positionText(last) }),
    notice: said?.notice ?? doneBefore(admin),
    done: said === undefined,
    action: adminPath(runtime, AT),
    path: adminPath(runtime),
    csrfToken: request.csrfToken(),
  }
  return page('admin-user', { key: 'admin.user.title', values: { user: userId } }, locals, said?.status)
}

async function withClient({ clients, store }: Runtime, grant: Grant) {
  const client = clients.get(grant.clientId) ?? (await store.findClient(grant.clientId))
  return { ...shownGrant(grant), clientName: client === undefined ? grant.clientId : shownName(client) }
}

/** Nobody has been named yet. */
function nobody({ runtime }: AdminRequest): PageReply {
  const locals = { broad: true, section: 'users', user: undefined, path: adminPath(runtime) }
  return page('admin-user', { key: 'admin.users.title' }, locals)
}
