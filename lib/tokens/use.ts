import type { Runtime } from '../runtime.js'
import type { FoundRecord } from '../store/records.js'

/** How often a grant's `lastUsedAt` is written, in milliseconds. */
const TOUCH_EVERY = 3_600_000

/** Notes that the grant of a code or a token is in use, to the hour; no answer waits for it or depends on it. */
export function noteUse(
  runtime: Pick<Runtime, 'store' | 'now' | 'emit'>,
  { grantId, grantLastUsedAt = 0 }: FoundRecord,
  endpoint: string,
): void {
  const now = runtime.now()
  if (grantId !== undefined && now - grantLastUsedAt >= TOUCH_EVERY)
    void touch(runtime, grantId, now, endpoint)
}

async function touch(
  { store, emit }: Pick<Runtime, 'store' | 'emit'>,
  grantId: string,
  now: number,
  endpoint: string,
): Promise<void> {
  try {
    await store.touchGrant(grantId, now)
  } catch (error) {
    emit('server.error', { error, endpoint })
  }
}
