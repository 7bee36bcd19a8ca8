import type { FoundRecord, RecordKind } from '../store/records.js'
import type { Store } from '../store/store.js'
import { isRecordOf, readHandle } from './handle.js'
import { readJwtHandle } from './jwt-access-token.js'

type RecordOf<Kind extends RecordKind> = FoundRecord & { readonly kind: Kind }

/** The record of a presented handle, if it is one of this kind; used, dead and expired ones included. */
export async function findByHandle<Kind extends RecordKind>(
  store: Store,
  kind: Kind,
  value: string,
): Promise<RecordOf<Kind> | undefined> {
  const handle = readHandle(value) ?? (kind === 'access' ? readJwtHandle(value) : undefined)
  if (handle === undefined) return undefined
  const record = await store.find(handle.id)
  if (record === undefined || record.kind !== kind || !isRecordOf(record, handle)) return undefined
  return record as RecordOf<Kind>
}

/** The record of an access or refresh token, whichever it is; used, dead and expired ones included. */
export async function findToken(
  store: Store,
  value: string,
): Promise<RecordOf<'access'> | RecordOf<'refresh'> | undefined> {
  return (await findByHandle(store, 'access', value)) ?? findByHandle(store, 'refresh', value)
}
