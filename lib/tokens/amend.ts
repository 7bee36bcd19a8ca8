import type { FoundRecord } from '../store/records.js'
import type { Store } from '../store/store.js'

/**
 * Changes the data of a record, as long as it has not been used: to what `change` makes of them or, where somebody else was faster, of what
 * those have made of them. `undefined` leaves them as they are.
 */
export async function amendUnused(
  store: Store,
  record: FoundRecord,
  change: (record: FoundRecord) => object | undefined,
): Promise<void> {
  let known: FoundRecord | undefined = record
  while (known !== undefined && known.usedAt === undefined) {
    const data = change(known)
    if (data === undefined || (await store.amend(known.id, known.data, JSON.stringify(data)))) return
    known = await store.find(known.id)
  }
}
