import type { PostgresQuery } from './postgres-connection.js'
import { GRANT_AS_JSON, withdrawScopes } from './postgres-grants.js'
import { toJson, toText } from './postgres-text.js'
import type { AuditFilter, ClientFilter, GrantFilter, WithdrawalFilter } from './store.js'
import { timeKey } from './time-key.js'

/** What a filter names, as conditions with parameters. */
class Conditions {
  readonly texts: string[] = []
  readonly values: unknown[]

  constructor(...values: unknown[]) {
    this.values = values
  }

  /** `?` stands for each value in turn. */
  add(condition: string, ...values: (string | number | undefined)[]): this {
    if (values.includes(undefined)) return this
    const given = values.map((value) => (typeof value === 'string' ? toText(value) : value))
    const first = this.values.push(...given) - given.length
    let count = 0
    this.texts.push(condition.replace(/\?/g, () => `$${first + ++count}`))
    return this
  }

  get where(): string {
    return this.texts.length === 0 ? '' : `WHERE ${this.texts.join(' AND ')}`
  }

  limit(limit: number | undefined): string {
    return limit === undefined ? '' : `LIMIT $${this.values.push(limit)}`
  }
}

/** In the collation "C" only letters of ASCII have two cases. */
const contains = (column: string) => `strpos(lower(${column}), lower(? COLLATE "C")) > 0`

export function listClients(schema: string, filter: ClientFilter): PostgresQuery {
  const { ownerId, fingerprint, matching, newestFirst, after, limit } = filter
  const [beyond, order] = newestFirst ? ['<', 'DESC'] : ['>', 'ASC']
  const conditions = new Conditions()
    .add('owner_id = ?', ownerId)
    .add('fingerprint = ?', fingerprint)
    .add(`(${contains('name')} OR ${contains('id')})`, matching, matching)
    .add(`(created_at, id) ${beyond} (?, ?)`, after?.createdAt, after?.id)
  const text = `SELECT data FROM ${schema}oauth_clients ${conditions.where}
       ORDER BY created_at ${order}, id ${order} ${conditions.limit(limit)}`
  return { text, values: conditions.values }
}

export function listGrants(schema: string, { userId, clientId, after, limit }: GrantFilter): PostgresQuery {
  const conditions = new Conditions()
    .add('user_id = ?', userId)
    .add('client_id = ?', clientId)
    .add('created_at <= ?', after?.createdAt)
    .add('(created_at < ? OR id > ?)', after?.createdAt, after?.id)
  const text = `SELECT ${GRANT_AS_JSON} FROM ${schema}oauth_grants AS g ${conditions.where}
       ORDER BY created_at DESC, id ${conditions.limit(limit)}`
  return { text, values: conditions.values }
}

export function withdrawFrom(
  schema: string,
  { id, userId, clientId, after }: WithdrawalFilter,
  scopes: readonly string[],
  limit: number,
): PostgresQuery {
  const conditions = new Conditions(toJson(scopes), limit)
    .add('g.id = ?', id)
    .add('g.user_id = ?', userId)
    .add('g.client_id = ?', clientId)
    .add('g.id > ?', after)
  return { text: withdrawScopes(schema, conditions.texts), values: conditions.values }
}

export function listAudit(schema: string, filter: AuditFilter): PostgresQuery {
  const { event, clientId, userId, since, until, before, limit } = filter
  const conditions = new Conditions()
    .add('event = ?', event)
    .add('client_id = ?', clientId)
    .add('user_id = ?', userId)
    .add('id >= ?', since === undefined ? undefined : timeKey(since))
    .add('id < ?', until === undefined ? undefined : timeKey(until))
    .add('id < ?', before)
  const text = `SELECT * FROM ${schema}oauth_audit ${conditions.where} ORDER BY id DESC ${conditions.limit(limit)}`
  return { text, values: conditions.values }
}
