import { findClient } from '../clients/find.js'
import type { Speech } from '../http/request.js'
import type { From } from '../network.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import type { Store } from '../store/store.js'
import { amendUnused } from '../tokens/amend.js'
import type { DeviceData } from '../tokens/device-code.js'
import { contentOf, traceOf } from '../tokens/record-content.js'
import type { KeptUserCode, UserCodeData, UserCodeTrace } from '../tokens/user-code.js'
import { clientAtBrowser } from './requesting-client.js'

/** A device that waits for somebody to decide. */
export interface WaitingDevice extends KeptUserCode {
  /** What it asks for. */
  readonly device: DeviceData
  readonly client: Client
}

/** A device about which somebody has decided. */
export interface DecidedDevice {
  /** Undefined where it is gone. */
  readonly client: Client | undefined
  readonly clientId: string
  readonly trace: UserCodeTrace
}

/** What a user code leads to. */
export type Found =
  | ({ readonly state: 'waiting' } & WaitingDevice)
  | ({ readonly state: 'decided' } & DecidedDevice)
  | { readonly state: 'expired' }
  | { readonly state: 'client gone' }

/** Users who are remembered to have been shown what a code asks for; the first of more are forgotten, and shown it again. */
const MOST_SHOWN = 5

/** What the device whose user code is kept here waits for, if it does. `from`: who looks. */
export async function findDevice(
  runtime: Runtime,
  { code, record, data }: KeptUserCode,
  from: From,
): Promise<Found> {
  const { store, now } = runtime
  const waits = await store.find(data.device)
  const device = waits && contentOf<DeviceData>(waits)
  if (device === undefined) return { state: 'expired' }
  if (record.trace !== undefined) {
    const { clientId } = device
    const client = await findClient(runtime, clientId)
    const trace = traceOf<UserCodeTrace>('user_code', record.trace)
    return trace === undefined ? { state: 'expired' } : { state: 'decided', client, clientId, trace }
  }
  if (data.expiresAt <= now()) return { state: 'expired' }
  const client = await clientAtBrowser(runtime, device.clientId, from)
  if (client === undefined) return { state: 'client gone' }
  return { state: 'waiting', code, record, data, device, client }
}

/** Notes who has been shown what a device asks for: nobody else's click counts. */
export async function noteShown(store: Store, { record }: WaitingDevice, userId: string): Promise<void> {
  await amendUnused(store, record, (known) => {
    const data = contentOf<UserCodeData>(known)
    if (data === undefined || data.shownTo.includes(userId)) return undefined
    return { ...data, shownTo: [...data.shownTo, userId].slice(-MOST_SHOWN) }
  })
}

/** The page for devices; with a code, the one address of what it asks for, with nothing in it that would have to be encoded. */
export function devicePath({ mount }: Pick<Settings, 'mount'>, code?: string): string {
  return code === undefined ? `${mount}/device` : `${mount}/device/${code}`
}

/** The same in the languages that this request has named. Not for the way through a login, which may drop a query. */
export function spokenPath(settings: Settings, { named }: Speech, code?: string): string {
  const path = devicePath(settings, code)
  return named.length === 0 ? path : `${path}?${new URLSearchParams({ ui_locales: named.join(' ') })}`
}
