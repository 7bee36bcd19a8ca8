import { changeClient } from '../clients/change.js'
import { isForgotten, PROBATION } from '../clients/lasting.js'
import { OAuthError } from '../errors.js'
import { optional } from '../optional.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import type { Count } from './ceiling.js'

/** Two that registered at the same moment may both be there. */
const MOST = 10

/**
 * The client that has registered itself with equal metadata; undefined where there is none. From now on it is that of several, so nobody manages
 * it any more: whoever came first could otherwise change or delete it for all who come later.
 * `count`: is called before it is given more time.
 *
 * @throws OAuthError where the host has blocked it, which registering again must not undo.
 */
export async function sharedClient(
  { store, now }: Pick<Runtime, 'store' | 'now'>,
  fingerprint: string,
  count: Count,
): Promise<Client | undefined> {
  const find = async () => {
    const equals = await store.listClients({ fingerprint, limit: MOST })
    if (equals.some(({ disabled }) => disabled)) throw blocked()
    return equals[0]
  }
  const shared = await changeClient(store, find, async (first) => {
    const { registrationToken, expiresAt, ...others } = first
    // Written again at most twice a day, and not each time that somebody comes.
    const lasts = expiresAt === undefined || !isForgotten({ expiresAt }, now() + PROBATION / 2)
    if (registrationToken === undefined && lasts) return first
    // Or a few registrations an hour would keep any number of clients that nobody uses.
    if (!lasts) await count()
    return { ...others, ...optional('expiresAt', lasts ? expiresAt : now() + PROBATION) }
  })
  return shared?.after
}

function blocked(): OAuthError {
  return new OAuthError(
    'invalid_client_metadata',
    'This client has been blocked on this server. Ask whoever runs it.',
    { reason: 'client_blocked' },
  )
}
