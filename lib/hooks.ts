import { shownName } from './client-name.js'
import type { Emit, ProviderEvents } from './events.js'
import { optional } from './optional.js'
import type { GrantNotice, ReuseNotice } from './options.js'
import type { Runtime } from './runtime.js'

type Needed = Pick<Runtime, 'settings' | 'store' | 'clients' | 'now' | 'emit'>
type Granted = ProviderEvents['consent.approved'][0]
type Reused = ProviderEvents['code.reused'][0]

/** Tells the host's hooks of what has happened. Nothing waits for them, and nothing fails with them. */
export function hooks(runtime: Needed): Emit {
  const { onGrant, onReuse } = runtime.settings
  const tell = <Notice>(
    endpoint: string,
    hook: ((notice: Notice) => unknown) | undefined,
    notice: (seen: Seen) => Notice,
    { clientId }: { readonly clientId: string },
    address: string | undefined,
  ) => {
    if (hook === undefined) return
    const at = new Date(runtime.now())
    // Once the answer is on its way: what a hook does at once would hold it up.
    setImmediate(async () => {
      try {
        const clientName = await nameOf(runtime, clientId, endpoint)
        await hook(notice({ clientName, at, ...optional('address', address) }))
      } catch (error) {
        runtime.emit('server.error', { error, endpoint })
      }
    })
  }
  return (name, event, address) => {
    if (name === 'consent.approved') {
      const granted = event as Granted
      tell<GrantNotice>('onGrant', onGrant, (seen) => ({ ...granted, ...seen }), granted, address)
    } else if (name === 'code.reused' || name === 'refresh_token.reused') {
      const reused = event as Reused
      const kind = name === 'code.reused' ? 'code' : 'refresh_token'
      tell<ReuseNotice>('onReuse', onReuse, (seen) => ({ ...reused, kind, ...seen }), reused, address)
    }
  }
}

/** What a notice says beside its event. */
type Seen = Pick<GrantNotice, 'clientName' | 'at' | 'address'>

/** A notice with the id in place of the name is better than none. */
async function nameOf({ clients, store, emit }: Needed, clientId: string, endpoint: string): Promise<string> {
  try {
    const client = clients.get(clientId) ?? (await store.findClient(clientId))
    return client === undefined ? clientId : shownName(client)
  } catch (error) {
    emit('server.error', { error, endpoint })
    return clientId
  }
}
