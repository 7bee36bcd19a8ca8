import type { Runtime } from '../runtime.js'
import { rememberSession } from '../sessions/client-session.js'
import type { Grant } from '../store/records.js'
import { type DeviceApproval, decisionRecord } from '../tokens/device-code.js'
import { newGrantId } from '../tokens/handle.js'
import { userCodeTrace } from '../tokens/user-code.js'
import { authenticationOf } from './interaction.js'
import type { SignedInUser } from './user.js'
import type { WaitingDevice } from './waiting-device.js'

/**
 * Lets a device have what it asks for, as far as `scopes` reach. Deciding uses the user code up, so of an approval and a denial at once one
 * counts; the grant and the decision that hangs on it come into the store in the same step.
 */
export async function approveDevice(
  runtime: Runtime,
  { record, data, device, client }: WaitingDevice,
  user: SignedInUser,
  scopes: readonly string[],
): Promise<void> {
  const { store, now, emit } = runtime
  const { resources, authorizationDetails } = device
  const approvedAt = now()
  const authentication = authenticationOf(user, undefined)
  const owner = { clientId: client.id, userId: user.id }
  // Now, and not when the device polls: the login may have ended by then.
  const login = { userId: user.id, session: user.session }
  const endsWithLogin = await rememberSession(runtime, client, login, scopes)
  const approval: DeviceApproval = {
    ...{ ...owner, scopes, resources, authentication, approvedAt },
    ...(authorizationDetails && { authorizationDetails }),
    ...(endsWithLogin && { endsWithLogin }),
  }
  // A new id, also where there is a grant to which this one is added: had that been withdrawn meanwhile, its tokens would come back to life.
  const grant: Grant = {
    ...{ ...owner, id: newGrantId(), createdAt: approvedAt },
    access: Object.fromEntries(resources.map((resource) => [resource, scopes])),
  }
  const decision = decisionRecord(data.device, { approval }, grant.id)
  const trace = userCodeTrace({ userId: user.id, decision: 'approved' })
  if (client.source === 'document') await runtime.documents?.keep(client)
  const { won, grant: saved = grant } = await store.consume(record.id, { now: approvedAt, trace, grant }, [
    decision,
  ])
  if (won) emit('consent.approved', { ...owner, grantId: saved.id, scopes, first: saved.id === grant.id })
}

export async function denyDevice(
  { store, now, emit }: Runtime,
  { record, data, client }: WaitingDevice,
  user: SignedInUser,
): Promise<void> {
  const consumption = { now: now(), trace: userCodeTrace({ userId: user.id, decision: 'denied' }) }
  const { won } = await store.consume(record.id, consumption, [decisionRecord(data.device, {})])
  if (won) emit('consent.denied', { clientId: client.id, userId: user.id })
}
