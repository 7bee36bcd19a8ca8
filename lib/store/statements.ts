import type { Database, Statement } from 'better-sqlite3'
import type { Position } from './store.js'

/** Before the first of a list of what is newest first. */
export const NEWEST: Position = { createdAt: Number.MAX_SAFE_INTEGER, id: '' }

/** A query of its own for each index. */
function clientsWhere(condition: string, newestFirst = false): string {
  const [beyond, order] = newestFirst ? ['<', 'DESC'] : ['>', 'ASC']
  return `SELECT data FROM oauth_clients
       WHERE ${condition} AND (created_at, id) ${beyond} (@createdAt, @id)
         AND (@matching IS NULL OR instr(lower(name), lower(@matching)) > 0 OR instr(lower(id), lower(@matching)) > 0)
       ORDER BY created_at ${order}, id ${order} LIMIT @limit`
}

function grantsWhere(condition: string): string {
  return `SELECT * FROM oauth_grants
       WHERE ${condition} AND created_at <= @createdAt AND (created_at < @createdAt OR id > @id)
       ORDER BY created_at DESC, id LIMIT @limit`
}

/** Grants that have one of the scopes at any resource, page by page. */
function withdrawableWhere(condition: string): string {
  return `SELECT * FROM oauth_grants
       WHERE ${condition}
         AND id > @after
         AND EXISTS (SELECT 1 FROM json_each(access) AS resource, json_each(resource.value) AS scope
                     WHERE scope.value IN (SELECT value FROM json_each(@scopes)))
       ORDER BY id LIMIT @limit`
}

/** Everything that the SQLite store says to SQLite, but for its tables. */
const SQL = {
  findClient: 'SELECT data FROM oauth_clients WHERE id = ?',
  addClient: `INSERT INTO oauth_clients (id, revision, created_at, name, owner_id, fingerprint, expires_at, data)
              VALUES (@id, @revision, @createdAt, @name, @ownerId, @fingerprint, @expiresAt, @data)
              ON CONFLICT (id) DO NOTHING`,
  changeClient: `UPDATE oauth_clients SET revision = @revision, created_at = @createdAt, name = @name, owner_id = @ownerId,
                   fingerprint = @fingerprint, expires_at = @expiresAt, data = @data
                 WHERE id = @id AND revision = @revision - 1`,
  deleteClient: 'DELETE FROM oauth_clients WHERE id = ?',
  listClients: clientsWhere('true'),
  listClientsOfOwner: clientsWhere(
    'owner_id = @ownerId AND (@fingerprint IS NULL OR fingerprint = @fingerprint)',
  ),
  listClientsOfFingerprint: clientsWhere('fingerprint = @fingerprint'),
  listClientsNewestFirst: clientsWhere(
    '(@ownerId IS NULL OR owner_id = @ownerId) AND (@fingerprint IS NULL OR fingerprint = @fingerprint)',
    true,
  ),
  expiredClients: 'SELECT id FROM oauth_clients WHERE expires_at < ? ORDER BY expires_at LIMIT ?',

  findGrant: 'SELECT * FROM oauth_grants WHERE user_id = ? AND client_id = ?',
  saveGrant: `INSERT INTO oauth_grants (id, user_id, client_id, access, claims, created_at, last_used_at, last_used_from, withdrawn)
              VALUES (@id, @userId, @clientId, @access, @claims, @createdAt, @lastUsedAt, @lastUsedFrom, @withdrawn)
              ON CONFLICT (user_id, client_id) DO UPDATE SET access = excluded.access, claims = excluded.claims,
                withdrawn = excluded.withdrawn`,
  touchGrant: 'UPDATE oauth_grants SET last_used_at = ?, last_used_from = ? WHERE id = ?',
  withdrawable: withdrawableWhere('true'),
  withdrawableById: withdrawableWhere(
    'id = @id AND (@userId IS NULL OR user_id = @userId) AND (@clientId IS NULL OR client_id = @clientId)',
  ),
  withdrawableOfUser: withdrawableWhere('user_id = @userId AND (@clientId IS NULL OR client_id = @clientId)'),
  withdrawableOfClient: withdrawableWhere('client_id = @clientId'),
  listGrants: grantsWhere('true'),
  listGrantsOfUser: grantsWhere('user_id = @userId AND (@clientId IS NULL OR client_id = @clientId)'),
  listGrantsOfClient: grantsWhere('client_id = @clientId'),
  deleteGrant:
    'DELETE FROM oauth_grants WHERE id = @id AND (@userId IS NULL OR user_id = @userId) RETURNING *',
  deleteGrantsOfUser: 'DELETE FROM oauth_grants WHERE user_id = ?',
  deleteGrantsOfClient: 'DELETE FROM oauth_grants WHERE client_id = ?',

  insertRecord: `INSERT INTO oauth_records (id, kind, hash, grant_id, family_id, data) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO NOTHING`,
  deleteRecord: 'DELETE FROM oauth_records WHERE id = ?',
  // In the order of `RecordTuple`. Not by joins: for those SQLite 3.54 makes a new plan whenever a value is bound, which takes longer than all the rest.
  findRecord: `SELECT kind, hash, grant_id, family_id, used_at, trace, data,
         (r.grant_id IS NULL OR EXISTS (SELECT 1 FROM oauth_grants AS g WHERE g.id = r.grant_id))
           AND NOT EXISTS (SELECT 1 FROM oauth_revocations AS v WHERE v.family_id = r.family_id) AS alive,
         (SELECT withdrawn FROM oauth_grants AS g WHERE g.id = r.grant_id) AS withdrawn,
         (SELECT last_used_at FROM oauth_grants AS g WHERE g.id = r.grant_id) AS grant_last_used_at
       FROM oauth_records AS r
       WHERE r.id = ?`,
  useRecord: `UPDATE oauth_records AS r SET used_at = ?, trace = ?
       WHERE r.id = ? AND r.used_at IS NULL
         AND (r.grant_id IS NULL OR EXISTS (SELECT 1 FROM oauth_grants AS g WHERE g.id = r.grant_id
             AND (g.withdrawn IS NULL OR (json_valid(g.withdrawn) AND json_type(g.withdrawn) = 'array'))))
         AND NOT EXISTS (SELECT 1 FROM oauth_revocations AS v WHERE v.family_id = r.family_id)`,
  amendRecord: 'UPDATE oauth_records SET data = ? WHERE id = ? AND data = ? AND used_at IS NULL',
  revokeFamily: `INSERT INTO oauth_revocations (family_id, expires_at) VALUES (?, ?)
       ON CONFLICT (family_id) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`,

  findKeys: 'SELECT revision, data FROM oauth_keys',
  addKeys:
    'INSERT INTO oauth_keys (id, revision, data) VALUES (1, @revision, @data) ON CONFLICT (id) DO NOTHING',
  changeKeys: 'UPDATE oauth_keys SET revision = @revision, data = @data WHERE revision = @revision - 1',

  saveSession: `INSERT INTO oauth_sessions (session, client_id, user_id, expires_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (session, client_id) DO UPDATE SET expires_at = excluded.expires_at`,
  hasSession: 'SELECT 1 FROM oauth_sessions WHERE session = ? AND client_id = ?',
  endSessions: 'DELETE FROM oauth_sessions WHERE session = ? RETURNING *',
  endSessionsOfUser: 'DELETE FROM oauth_sessions WHERE user_id = ? RETURNING *',
  deleteSessionsOfClient: 'DELETE FROM oauth_sessions WHERE client_id = ?',

  appendAudit: `INSERT INTO oauth_audit (id, at, event, client_id, user_id, grant_id, by, address, details)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  listAudit: `SELECT * FROM oauth_audit
       WHERE id < @before AND id >= @since AND (@event IS NULL OR event = @event)
         AND (@clientId IS NULL OR client_id = @clientId) AND (@userId IS NULL OR user_id = @userId)
       ORDER BY id DESC LIMIT @limit`,
  purgeAudit:
    'DELETE FROM oauth_audit WHERE id IN (SELECT id FROM oauth_audit WHERE id < ? ORDER BY id LIMIT ?)',

  // One look for all tables: most of the time nothing has expired, and a DELETE that finds nothing costs more than this.
  hasExpired: `SELECT EXISTS (SELECT 1 FROM oauth_records WHERE id < @key)
         OR EXISTS (SELECT 1 FROM oauth_revocations WHERE expires_at < @now)
         OR EXISTS (SELECT 1 FROM oauth_sessions WHERE expires_at < @now)
         OR EXISTS (SELECT 1 FROM oauth_clients WHERE expires_at < @now) AS it`,
  purgeRecords:
    'DELETE FROM oauth_records WHERE id IN (SELECT id FROM oauth_records WHERE id < ? ORDER BY id LIMIT ?)',
  purgeRevocations: `DELETE FROM oauth_revocations WHERE family_id IN
         (SELECT family_id FROM oauth_revocations WHERE expires_at < ? ORDER BY expires_at LIMIT ?)`,
  purgeSessions: `DELETE FROM oauth_sessions WHERE (session, client_id) IN
         (SELECT session, client_id FROM oauth_sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ?)`,
} as const

export type Statements = Readonly<Record<keyof typeof SQL, Statement>>

export function prepareStatements(db: Database): Statements {
  // On a connection of the host's, integers may be set to come as BigInt.
  const prepared = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql).safeIntegers(false)])
  const statements: Statements = Object.fromEntries(prepared)
  // The one that is asked most often; its rows come as lists, which are made in half the time.
  statements.findRecord.raw()
  return statements
}
