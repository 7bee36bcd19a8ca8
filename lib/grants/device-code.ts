import { verifyChallenge } from '../authorization/pkce.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { OAuthError } from '../errors.js'
import { GRANT_TYPES } from '../grant-types.js'
import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'
import {
  type DeviceApproval,
  type DeviceData,
  decisionData,
  decisionId,
  deviceData,
  deviceExpiry,
} from '../tokens/device-code.js'
import { findByHandle } from '../tokens/find.js'
import type { GrantType } from './grant-type.js'
import { redeem } from './redeem.js'
import { invalidGrant } from './refusal.js'

/** RFC 8628 §3.5: by so many seconds a client that polls too fast has to slow down. */
const SLOWER = 5
/** A poll that is early by less, in milliseconds, was late or early on its way only. */
const JITTER = 1000

/** RFC 8628 §3.4 */
export const deviceCode: GrantType = {
  ...GRANT_TYPES.deviceCode,
  parameters: ['device_code', 'code_verifier', 'authorization_details'],
  isOffered: ({ features }) => features.deviceAuthorization,

  async issue(runtime, client, request) {
    const { parameters } = request
    const device = await findDevice(runtime, client, parameters.get('device_code'))
    // Before anything that depends on the code or changes it: without the verifier nobody learns how it stands, or slows its client down.
    verifyChallenge(device.data.codeChallenge, parameters.get('code_verifier'))
    const decision = await runtime.store.find(decisionId(device.record.id))
    if (decision?.usedAt !== undefined) throw used()
    if (deviceExpiry(device.record) <= runtime.now()) throw expired()
    if (decision === undefined) throw await notYet(runtime, device)
    const approved = approvalIn(decision)
    const redeemable = { grantType: this.name, record: decision, approved }
    return redeem(runtime, client, request, redeemable, { withdrawn, used })
  },
}

interface Device {
  readonly record: FoundRecord
  readonly data: DeviceData
}

async function findDevice(
  { store }: Runtime,
  client: AuthenticatedClient,
  value: string | undefined,
): Promise<Device> {
  if (value === undefined)
    throw new OAuthError(
      'invalid_request',
      'device_code is missing. Send the one that the device got with its user_code.',
      { reason: 'device_code_missing' },
    )
  const record = await findByHandle(store, 'device', value)
  if (record === undefined) throw unknown()
  const data = deviceData(record)
  if (data.clientId === client.id) return { record, data }
  throw invalidGrant(
    'The device_code was issued to another client. Poll as the client that asked for it.',
    'device_code_of_other_client',
  )
}

/**
 * Nobody has decided yet. `slow_down` is said only now: it means that the request is still pending (RFC 8628 §3.5), so a decision is told to
 * whoever polls for it, however soon.
 */
async function notYet({ store, settings, now }: Runtime, { record, data }: Device): Promise<OAuthError> {
  const early = now() < data.notBefore
  const longest = Math.max(data.interval, settings.lifetimes.deviceCode)
  const interval = early ? Math.min(data.interval + SLOWER, longest) : data.interval
  // Who cannot be told to slow down any more, since the code does not live for longer, costs no more writes.
  if (!early || interval !== data.interval) {
    const next: DeviceData = { ...data, interval, notBefore: now() + interval * 1000 - JITTER }
    // Of two polls at once one may be lost: they are then told the same, and the next one counts.
    await store.amend(record.id, record.data, JSON.stringify(next))
  }
  if (!early) {
    return new OAuthError('authorization_pending', 'The user has not decided yet. Ask again later.', {
      reason: 'authorization_pending',
    })
  }
  const description = `Ask more slowly: from now on every ${interval} seconds.`
  return new OAuthError('slow_down', description, { reason: 'slow_down' })
}

function approvalIn(decision: FoundRecord): DeviceApproval {
  const decided = decisionData(decision)
  if (decided === undefined) throw unknown()
  const { approval } = decided
  if (approval === undefined) {
    throw new OAuthError('access_denied', 'The user denied the request.', {
      reason: 'user_denied',
      status: 400,
    })
  }
  if (decision.alive) return approval
  throw withdrawn()
}

/**
 * Nothing is revoked, as it is for an authorization code: this one has never been in a URL, and two polls that cross each other must not end
 * what the first of them got.
 */
function used(): OAuthError {
  return invalidGrant('The device_code has been used. Ask for a new one.', 'device_code_used')
}

function unknown(): OAuthError {
  return invalidGrant('The device_code is not known. Ask for a new one.', 'device_code_unknown')
}

function expired(): OAuthError {
  return new OAuthError('expired_token', 'The device_code has expired. Ask for a new one.', {
    reason: 'device_code_expired',
  })
}

function withdrawn(): OAuthError {
  return invalidGrant(
    'The user has withdrawn what they had allowed. Ask for a new device_code.',
    'grant_revoked',
  )
}
