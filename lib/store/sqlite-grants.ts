import { isEmpty, withoutScopes } from './merge-grants.js'
import type { Grant } from './records.js'
import { fromGrant, type GrantRow, toGrant } from './rows.js'
import { NEWEST, type Statements } from './statements.js'
import type { GrantFilter, WithdrawalFilter } from './store.js'

export function listGrants(
  { listGrants, listGrantsOfUser, listGrantsOfClient }: Statements,
  { userId, clientId, after: { createdAt, id } = NEWEST, limit = -1 }: GrantFilter,
): Grant[] {
  const others = clientId === undefined ? listGrants : listGrantsOfClient
  const query = userId === undefined ? others : listGrantsOfUser
  const named = { userId: userId ?? null, clientId: clientId ?? null }
  return (query.all({ ...named, createdAt, id, limit }) as GrantRow[]).map(toGrant)
}

export function withdrawScopes(
  statements: Statements,
  { id, userId, clientId, after = '' }: WithdrawalFilter,
  scopes: readonly string[],
  limit: number,
): Grant[] {
  const { withdrawable, withdrawableById, withdrawableOfUser, withdrawableOfClient } = statements
  const others = clientId === undefined ? withdrawable : withdrawableOfClient
  const ofUser = userId === undefined ? others : withdrawableOfUser
  const query = id === undefined ? ofUser : withdrawableById
  const named = { id: id ?? null, userId: userId ?? null, clientId: clientId ?? null, after }
  const rows = query.all({ ...named, scopes: JSON.stringify(scopes), limit }) as GrantRow[]
  const narrowed = rows.map((row) => withoutScopes(toGrant(row), scopes))
  for (const grant of narrowed) {
    if (isEmpty(grant)) statements.deleteGrant.run({ id: grant.id, userId: null })
    else statements.saveGrant.run(fromGrant(grant))
  }
  return narrowed
}
