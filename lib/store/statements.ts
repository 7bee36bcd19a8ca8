import type { Database, Statement } from 'better-sqlite3'

/** Everything that the SQLite store says to SQLite, but for its tables. */
const SQL = {
  findClient: 'SELECT data FROM oauth_clients WHERE id = ?',
  addClient: `INSERT INTO oauth_clients (id, revision, created_at, data) VALUES (@id, @revision, @createdAt, @data)
              ON CONFLICT (id) DO NOTHING`,
  changeClient: `UPDATE oauth_clients SET revision = @revision, created_at = @createdAt, data = @data
                 WHERE id = @id AND revision = @revision - 1`,
  deleteClient: 'DELETE FROM oauth_clients WHERE id = ?',
  listClients: 'SELECT data FROM oauth_clients ORDER BY created_at, id',

  findGrant: 'SELECT * FROM oauth_grants WHERE user_id = ? AND client_id = ?',
  saveGrant: `INSERT INTO oauth_grants (id, user_id, client_id, access, claims, created_at, last_used_at)
              VALUES (?, ?, ?, ?, ?, ?, ?)
              ON CONFLICT (user_id, client_id) DO UPDATE SET access = excluded.access, claims = excluded.claims`,
  touchGrant: 'UPDATE oauth_grants SET last_used_at = ? WHERE id = ?',
  listGrants: 'SELECT * FROM oauth_grants ORDER BY created_at DESC, id',
  listGrantsOfUser: 'SELECT * FROM oauth_grants WHERE user_id = ? ORDER BY created_at DESC, id',
  listGrantsOfClient: 'SELECT * FROM oauth_grants WHERE client_id = ? ORDER BY created_at DESC, id',
  deleteGrant:
    'DELETE FROM oauth_grants WHERE id = @id AND (@userId IS NULL OR user_id = @userId) RETURNING *',
  deleteGrantsOfUser: 'DELETE FROM oauth_grants WHERE user_id = ?',
  deleteGrantsOfClient: 'DELETE FROM oauth_grants WHERE client_id = ?',

  insertRecord:
    'INSERT INTO oauth_records (id, kind, hash, grant_id, family_id, data) VALUES (?, ?, ?, ?, ?, ?)',
  findRecord: `SELECT r.kind, r.hash, r.grant_id, r.family_id, r.used_at, r.trace, r.data,
              (r.grant_id IS NULL OR g.id IS NOT NULL) AND v.family_id IS NULL AS alive,
              g.last_used_at AS grant_last_used_at
       FROM oauth_records r
       LEFT JOIN oauth_grants g ON g.id = r.grant_id
       LEFT JOIN oauth_revocations v ON v.family_id = r.family_id
       WHERE r.id = ?`,
  useRecord: 'UPDATE oauth_records SET used_at = ?, trace = ? WHERE id = ?',
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
  return Object.fromEntries(prepared)
}
