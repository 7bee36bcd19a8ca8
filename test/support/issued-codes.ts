import type { Store } from '../../lib/store/store.js'
import { codeHandleExpiry, codeRecord } from '../../lib/tokens/code.js'
import { mintHandle, newGrantId } from '../../lib/tokens/handle.js'
import { CHALLENGE, redirectUriOf } from './flow.js'

/** What an approval of the client `pub` by Alice would have left: a grant, and codes that hang on it. */
export async function issueCodes(
  store: Store,
  count: number,
  { resource = 'http://localhost', now = Date.now() }: { resource?: string; now?: number } = {},
): Promise<string[]> {
  const clientId = 'pub'
  const user = { userId: 'alice', clientId }
  const access = { [resource]: ['read'] }
  const grant = await store.saveGrant({ id: newGrantId(), ...user, access, createdAt: now })
  const handles = Array.from({ length: count }, () => mintHandle(codeHandleExpiry(now, 600)))
  const data = {
    ...user,
    scopes: ['read'],
    resources: [resource],
    redirectUri: redirectUriOf(clientId),
    codeChallenge: CHALLENGE,
    wrongVerifiers: 0,
    authentication: {},
    approvedAt: now,
  }
  await store.insert(handles.map((handle) => codeRecord(handle, grant.id, data)))
  return handles.map(({ value }) => value)
}
