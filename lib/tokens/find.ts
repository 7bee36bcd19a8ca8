import type { FoundRecord, RecordKind } from '../store/records.js'
import type { Store } from '../store/store.js'
import { isRecordOf, readHandle } from './handle.js'
import { readJwtHandle } from './jwt-access-token.js'

/** The record of a presented handle, if it is one of this kind; used, dead and expired ones included. */
export async function findByHandle(
  store: Store,
  kind: RecordKind,
  value: string,
): Promise<FoundRecord | undefined> {
  const handle = readHandle(value) ?? (kind === 'access' ? readJwtHandle(value) : undefined)
  if (handle === undefined) return undefined
  const record = await store.find(handle.id)
  return record !== undefined && record.kind === kind && isRecordOf(record, handle) ? record : undefined
}
