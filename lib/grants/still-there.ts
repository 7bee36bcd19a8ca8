import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { findHolder } from '../clients/find.js'
import type { Runtime } from '../runtime.js'
import { invalidGrant } from './refusal.js'

/**
 * Looks at a client once more when a grant has been saved for it. Whoever blocks a client, or deletes it, ends all of its grants, and this one may
 * not yet have been among them: it would come to life with the client when that is unblocked. What is blocked from now on ends this one too.
 */
export async function requireStillThere(
  runtime: Runtime,
  client: AuthenticatedClient,
  grantId: string,
): Promise<void> {
  const holder = { clientId: client.id, clientSince: client.createdAt }
  if ((await findHolder(runtime, holder)) !== undefined) return
  await runtime.store.revokeGrant(grantId)
  throw invalidGrant('This client has been blocked or deleted meanwhile.', 'client_ended')
}
