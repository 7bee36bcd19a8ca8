import { type DeviceRequest, readDeviceRequest } from '../authorization/device-request.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import { deviceCode } from '../grants/device-code.js'
import type { JsonReply } from '../http/reply.js'
import type { MachineRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import { deviceHandleExpiry, deviceRecord } from '../tokens/device-code.js'
import { mintHandle } from '../tokens/handle.js'
import { findUserCode, newUserCode, userCodeRecord } from '../tokens/user-code.js'

/** Seconds that a client has to wait between two polls (RFC 8628 §3.2). */
const INTERVAL = 5
/** Draws of a user code, of which all but one in billions is the last; a store that refuses every one of them is broken. */
const MOST_DRAWS = 10

/** Gives a device the code that it polls with, and the one that it shows to its user (RFC 8628 §3.1, §3.2). */
export async function deviceAuthorization(
  runtime: Runtime,
  client: AuthenticatedClient,
  { parameters }: MachineRequest,
): Promise<JsonReply> {
  const { settings } = runtime
  if (!client.grantTypes.includes(deviceCode.name)) {
    throw new OAuthError(
      'unauthorized_client',
      `This client is not registered for the grant type ${deviceCode.name}.`,
      { reason: 'grant_type_not_registered' },
    )
  }
  const { code, userCode } = await newDeviceCodes(runtime, readDeviceRequest(parameters, client, settings))
  const page = `${settings.issuer}/device`
  return {
    status: 200,
    body: {
      device_code: code,
      user_code: userCode,
      verification_uri: page,
      verification_uri_complete: `${page}?user_code=${userCode}`,
      expires_in: settings.lifetimes.deviceCode,
      interval: INTERVAL,
    },
  }
}

/** The codes of a device that asks for this: one to poll with, one to show. */
export async function newDeviceCodes(
  { store, settings, now }: Runtime,
  request: DeviceRequest,
): Promise<{ code: string; userCode: string }> {
  const issuedAt = now()
  const expiresAt = issuedAt + settings.lifetimes.deviceCode * 1000
  const handle = mintHandle(deviceHandleExpiry(expiresAt))
  const device = deviceRecord(handle, { ...request, interval: INTERVAL, notBefore: issuedAt })
  for (let draws = 0; draws < MOST_DRAWS; draws++) {
    const userCode = newUserCode()
    // One that expires in another span of time has another id.
    if ((await findUserCode(store, userCode, issuedAt)) !== undefined) continue
    const shown = userCodeRecord(userCode, { device: handle.id, expiresAt, shownTo: [] })
    if (await store.insert([device, shown])) return { code: handle.value, userCode }
  }
  throw new Error('The store refused every user code.')
}
