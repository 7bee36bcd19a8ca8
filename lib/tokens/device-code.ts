import { hash } from 'node:crypto'
import type { AuthorizationDetail } from '../options.js'
import { recordId } from '../record-id.js'
import type { FoundRecord, StoredRecord } from '../store/records.js'
import type { Authentication } from './authentication.js'
import { expiryOf, type Handle } from './handle.js'
import { contentOf, knownContent } from './record-content.js'
import { withoutWithdrawn } from './withdrawn.js'

/** For how long the record of a device code outlives it, in milliseconds: a client that polls late is told that it is too late. */
const REMEMBERED = 600_000

/** What a device has asked for, and how it may poll (RFC 8628 §3.1, §3.5). */
export interface DeviceData {
  readonly clientId: string
  readonly scopes: readonly string[]
  readonly resources: readonly string[]
  readonly codeChallenge?: string
  readonly authorizationDetails?: readonly AuthorizationDetail[]
  /** Seconds between two polls. */
  readonly interval: number
  /** A poll before this millisecond comes too early. */
  readonly notBefore: number
}

/** What a user has allowed a device. */
export interface DeviceApproval {
  readonly clientId: string
  readonly userId: string
  readonly scopes: readonly string[]
  readonly resources: readonly string[]
  readonly authorizationDetails?: readonly AuthorizationDetail[]
  readonly authentication: Authentication
  /** Whether the client is told when the login ends, so that the approval ends with it. */
  readonly endsWithLogin?: boolean
  /** Milliseconds. */
  readonly approvedAt: number
}

/** What a user has decided; without an approval, no. */
export interface DeviceDecision {
  readonly approval?: DeviceApproval
}

export function deviceRecord(handle: Handle, data: DeviceData): StoredRecord {
  return { id: handle.id, kind: 'device', hash: handle.hash, data: JSON.stringify(data) }
}

/** The expiry of the handle of a device code that lives until `expiresAt`; both in milliseconds. */
export function deviceHandleExpiry(expiresAt: number): number {
  return expiresAt + REMEMBERED
}

/** When a device code stops being good, in milliseconds. */
export function deviceExpiry({ id }: Pick<FoundRecord, 'id'>): number {
  return expiryOf(id) - REMEMBERED
}

export function deviceData(record: FoundRecord): DeviceData {
  return knownContent(record)
}

/**
 * The decision about a device code is a record of its own: what is approved hangs on its grant from the beginning, and polling, which
 * rewrites the record of the code, cannot get in its way.
 */
export function decisionRecord(deviceId: string, decision: DeviceDecision, grantId?: string): StoredRecord {
  const id = decisionId(deviceId)
  const lineage = grantId !== undefined && { grantId, familyId: deviceId }
  return { id, kind: 'decision', hash: digest(deviceId), ...lineage, data: JSON.stringify(decision) }
}

/** Where the decision about the device code with this record is found, once there is one. */
export function decisionId(deviceId: string): string {
  return recordId(expiryOf(deviceId), digest(deviceId))
}

/** Undefined where it cannot be read. */
export function decisionData(record: FoundRecord): DeviceDecision | undefined {
  const decision = contentOf<DeviceDecision>(record)
  if (decision === undefined) return undefined
  const { approval } = decision
  return approval === undefined ? {} : { approval: withoutWithdrawn(record, approval) }
}

function digest(deviceId: string): Buffer {
  return hash('sha256', `decision\0${deviceId}`, 'buffer')
}
