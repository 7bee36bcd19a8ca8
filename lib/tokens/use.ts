import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'

/** How often a grant's `lastUsedAt` is written, in milliseconds. */
const TOUCH_EVERY = 3_600_000

/** Notes that the grant of a code or a token is in use, and from where, to the hour; no answer waits for it or depends on it. */
export function noteUse(
  runtime: Pick<Runtime, 'store' | 'now' | 'emit' | 'address'>,
  record: FoundRecord,
  endpoint: string,
): void {
  noteUseBy(runtime, runtime, record, endpoint, keptWith)
}

/** The same where `addressOf` says from where a request comes, as far as that may be kept. It is asked only when there is something to note. */
export function noteUseBy<Request>(
  request: Request,
  runtime: Pick<Runtime, 'store' | 'now' | 'emit'>,
  { grantId, grantLastUsedAt = 0 }: FoundRecord,
  endpoint: string,
  addressOf: (request: Request) => string | undefined,
): void {
  const now = runtime.now()
  if (grantId !== undefined && now - grantLastUsedAt >= TOUCH_EVERY)
    void touch(runtime, { grantId, now, address: addressOf(request) }, endpoint)
}

const keptWith = ({ address }: Pick<Runtime, 'address'>) => address

async function touch(
  { store, emit }: Pick<Runtime, 'store' | 'emit'>,
  {
    grantId,
    now,
    address,
  }: { readonly grantId: string; readonly now: number; readonly address: string | undefined },
  endpoint: string,
): Promise<void> {
  try {
    await store.touchGrant(grantId, now, address)
  } catch (error) {
    emit('server.error', { error, endpoint })
  }
}
