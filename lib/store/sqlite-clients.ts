import type { Statement } from 'better-sqlite3'
import type { Client } from './records.js'
import { type ClientRow, readJson } from './rows.js'
import { NEWEST, type Statements } from './statements.js'
import type { ClientFilter } from './store.js'

export function listClients(statements: Statements, filter: ClientFilter): Client[] {
  const { ownerId, fingerprint, matching, newestFirst, limit } = filter
  const { createdAt, id } = filter.after ?? (newestFirst ? NEWEST : { createdAt: -1, id: '' })
  const named = { ownerId: ownerId ?? null, fingerprint: fingerprint ?? null, matching: matching ?? null }
  const rows = queryFor(statements, filter).all({ ...named, createdAt, id, limit: limit ?? -1 })
  return (rows as ClientRow[]).map(({ data }) => readJson(data))
}

function queryFor(statements: Statements, { ownerId, fingerprint, newestFirst }: ClientFilter): Statement {
  if (newestFirst) return statements.listClientsNewestFirst
  if (ownerId !== undefined) return statements.listClientsOfOwner
  return fingerprint === undefined ? statements.listClients : statements.listClientsOfFingerprint
}

export function deleteClient(
  { deleteGrantsOfClient, deleteSessionsOfClient, deleteClient }: Statements,
  id: string,
): boolean {
  deleteGrantsOfClient.run(id)
  deleteSessionsOfClient.run(id)
  return deleteClient.run(id).changes > 0
}

export function purgeClients(statements: Statements, now: number, limit: number): void {
  for (const { id } of statements.expiredClients.all(now, limit) as { id: string }[])
    deleteClient(statements, id)
}
