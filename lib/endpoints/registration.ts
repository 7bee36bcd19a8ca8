import type { RegistrationSettings } from '../client-sources.js'
import { type ClientChange, changeClient } from '../clients/change.js'
import { withdrawn } from '../clients/lasting.js'
import type { EmptyReply, JsonReply } from '../http/reply.js'
import type { MachineRequest } from '../http/request.js'
import { optional } from '../optional.js'
import { changeCount } from '../registration/ceiling.js'
import { clientInformation } from '../registration/information.js'
import { type Manager, managedClient, unauthorized } from '../registration/managed-client.js'
import { type Admission, registerClient } from '../registration/register.js'
import { bearerToken, isOneOf } from '../registration/registration-token.js'
import { replacement } from '../registration/replace.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { describe } from '../validation.js'
import { grantTypeNames } from './token.js'

/** RFC 7591 §3 */
export async function register(
  runtime: Runtime,
  registration: RegistrationSettings,
  request: MachineRequest,
): Promise<JsonReply> {
  const admission = await admitted(registration, request)
  const grantTypes = grantTypeNames(runtime.settings)
  const applicant = { admission, address: request.address, grantTypes }
  const body = await registerClient(runtime, registration, request.json, applicant)
  return { status: 201, body }
}

/** RFC 7592 §2.1 */
export async function readRegistration(runtime: Runtime, request: MachineRequest): Promise<JsonReply> {
  const { client, token } = await managedClient(runtime, managerOf(request))
  return { status: 200, body: clientInformation(runtime, client, { token }) }
}

/** RFC 7592 §2.2. Where the client has changed meanwhile, what it has become is looked at again: it may not be this one's any more. */
export async function replaceRegistration(
  runtime: Runtime,
  registration: RegistrationSettings,
  request: MachineRequest,
): Promise<JsonReply> {
  const { settings, store } = runtime
  const offer = { grantTypes: grantTypeNames(settings), count: changeCount(runtime, request.id) }
  let secret: string | undefined
  const change = await changeClient(store, managedBy(runtime, request), async (stored) => {
    const replaced = await replacement(runtime, registration, stored, request.json, offer)
    secret = replaced.secret
    return replaced.client
  })
  const token = bearerToken(request.authorization)
  if (change.after !== change.before) tellChange(runtime, change, 'updated')
  return { status: 200, body: clientInformation(runtime, change.after, { secret, token }) }
}

/** RFC 7592 §2.3. It is taken out of everybody's hands first, so that nobody comes to share it who would lose it then. */
export async function deleteRegistration(runtime: Runtime, request: MachineRequest): Promise<EmptyReply> {
  const { store, now } = runtime
  const change = await changeClient(store, managedBy(runtime, request), (client) => withdrawn(client, now()))
  await store.deleteClient(change.after.id)
  tellChange(runtime, change, 'deleted')
  return { status: 204 }
}

function managedBy(runtime: Runtime, request: MachineRequest): () => Promise<Client> {
  return async () => (await managedClient(runtime, managerOf(request))).client
}

function tellChange(
  { emit }: Runtime,
  { before: { id, expiresAt } }: ClientChange,
  change: 'updated' | 'deleted',
): void {
  const onProbation = expiresAt === undefined ? undefined : true
  emit('client.changed', { clientId: id, change, by: 'client', ...optional('onProbation', onProbation) })
}

/**
 * An initial access token counts whatever the function says; a token that is none may be the host's own, for its function. Where there is no
 * function, whoever brings one takes it for good, and would rather not be registered as a stranger.
 */
async function admitted(
  { allow, initialAccessTokens }: RegistrationSettings,
  request: MachineRequest,
): Promise<Admission> {
  const { authorization } = managerOf(request)
  const token = bearerToken(authorization)
  if (token !== undefined && isOneOf(token, initialAccessTokens)) return 'token'
  const isMistaken = authorization !== undefined && initialAccessTokens.length > 0
  if (allow === 'open') {
    if (isMistaken) throw unauthorized(true)
    return 'open'
  }
  const allowed: unknown = await allow(request.host)
  if (allowed === true) return 'function'
  if (allowed === false) throw unauthorized(authorization !== undefined)
  throw new TypeError(`oauthProvider: registration.allow gave ${describe(allowed)}. Return true or false.`)
}

/** Of two Authorization headers nobody knows which one is meant. */
function managerOf(request: MachineRequest): Manager {
  const { id, authorization } = request
  return { id, authorization: request.repeatsAuthorization() ? '' : authorization }
}
