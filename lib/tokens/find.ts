import type { FoundRecord, RecordKind } from '../store/records.js'
import type { Store } from '../store/store.js'
import { type Handle, isRecordOf, readHandle } from './handle.js'
import { readJwtHandle } from './jwt-access-token.js'
import { contentOf, type ReadRecord } from './record-content.js'

type RecordOf<Kind extends RecordKind> = ReadRecord & { readonly kind: Kind }

/** The record of a presented handle, if it is one of this kind and can be read; used, dead and expired ones included. */
export function findByHandle<Kind extends RecordKind>(
  store: Store,
  kind: Kind,
  value: string,
): Promise<RecordOf<Kind> | undefined> {
  const handle = readHandle(value) ?? (kind === 'access' ? readJwtHandle(value) : undefined)
  return findAmong(store, [kind], handle)
}

/** The record of an access or refresh token, whichever it is; used, dead and expired ones included. */
export function findToken(store: Store, value: string): Promise<RecordOf<'access' | 'refresh'> | undefined> {
  return findAmong(store, ['access', 'refresh'], readHandle(value) ?? readJwtHandle(value))
}

async function findAmong<Kind extends RecordKind>(
  store: Store,
  kinds: readonly Kind[],
  handle: Handle | undefined,
): Promise<RecordOf<Kind> | undefined> {
  const record = handle && (await store.find(handle.id))
  if (handle === undefined || record === undefined || !isRecordOf(record, handle)) return undefined
  if (!kinds.some((kind) => kind === record.kind)) return undefined
  const content = contentOf(record)
  return content && (withContent(record, content) as RecordOf<Kind>)
}

/** Each by its name: to spread it costs as much as to read its data once more. */
function withContent(record: FoundRecord, content: object): ReadRecord {
  const { id, kind, hash, grantId, familyId, data, usedAt, trace, alive, withdrawn, grantLastUsedAt } = record
  const read: Record<keyof ReadRecord, unknown> = {
    id,
    kind,
    hash,
    grantId,
    familyId,
    data,
    usedAt,
    trace,
    alive,
    withdrawn,
    grantLastUsedAt,
    content,
  }
  return read as unknown as ReadRecord
}
