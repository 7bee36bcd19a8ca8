import { type PageReply, page } from '../http/reply.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { done, doneBefore, withdrawScope } from './admin-acts.js'
import { confirmPage } from './admin-confirm.js'
import { shownClient } from './admin-list.js'
import { type AdminPage, type AdminRequest, adminPath, type Said } from './administrators.js'
import { ON_PAGE, pageOf, positionText, readPosition } from './paging.js'

/** Longer than any name that is looked for. */
const LONGEST_SEARCH = 200

/** All clients, and the way to everything else. */
export const adminClients: AdminPage = {
  async show(admin, said) {
    const scope = admin.request.parameters.get('withdraw')
    if (scope !== undefined && said === undefined)
      return confirmPage(admin, {
        what: 'withdraw-all',
        values: { scope },
        at: '',
        fields: { act: 'withdraw', scope },
      })
    return clientsPage(admin, said)
  },

  async act(admin) {
    const { parameters } = admin.request
    const scope = parameters.get('scope')
    if (parameters.get('act') !== 'withdraw' || scope === undefined)
      return adminClients.show(admin, { notice: { key: 'admin.choose' }, status: 400 })
    return done(admin, '', {}, 'withdrawn', await withdrawScope(admin, {}, scope))
  },
}

async function clientsPage(admin: AdminRequest, said: Said | undefined): Promise<PageReply> {
  const { runtime, request } = admin
  const { parameters } = request
  const search = parameters.get('q')?.trim().slice(0, LONGEST_SEARCH)
  const after = readPosition(parameters.get('after'))
  const fixed = after === undefined ? staticClients(runtime, search) : []
  const { items, last } = pageOf(
    await runtime.store.listClients({
      newestFirst: true,
      limit: ON_PAGE + 1,
      ...(search && { matching: search }),
      ...(after && { after }),
    }),
  )
  const clients = [
    ...fixed.map((client) => shownClient(client, true)),
    ...items.map((client) => shownClient(client, false)),
  ]
  const locals = {
    broad: true,
    section: 'clients',
    clients,
    search: search ?? '',
    isFirst: after === undefined,
    next: last && adminPath(runtime, '', { q: search, after: positionText(last) }),
    scopes: [...runtime.settings.scopes.keys()],
    notice: said?.notice ?? doneBefore(admin),
    done: said === undefined,
    path: adminPath(runtime),
  }
  return page('admin', { key: 'admin.clients.title' }, locals, said?.status)
}

/** As the store looks for the others: in name and id, whatever the case. */
function staticClients({ clients }: Runtime, search = ''): Client[] {
  const wanted = search.toLowerCase()
  return [...clients.values()].filter((client) =>
    [client.name, client.id].some((text) => text.toLowerCase().includes(wanted)),
  )
}
