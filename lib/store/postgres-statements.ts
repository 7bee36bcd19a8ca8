import { createHash } from 'node:crypto'
import { GRANT_AS_JSON, saveGrant } from './postgres-grants.js'

/** How a record is found: what it hangs on says whether it lives. */
const RECORD = `r.kind, r.hash, r.grant_id, r.family_id, r.used_at, r.trace, r.data,
         CASE WHEN (r.grant_id IS NULL OR g.id IS NOT NULL) AND v.family_id IS NULL
           AND coalesce(jsonb_typeof(g.withdrawn), 'array') = 'array' THEN 1 ELSE 0 END AS alive,
         g.withdrawn::text AS withdrawn, g.last_used_at AS grant_last_used_at`

const MEMBERS_OF_RECORDS =
  'unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[]) AS s (id, kind, hash, grant_id, family_id, data)'

function recordWhere(schema: string, condition: string): string {
  return `SELECT r.id, ${RECORD} FROM ${schema}oauth_records AS r
       LEFT JOIN ${schema}oauth_grants AS g ON g.id = r.grant_id
       LEFT JOIN ${schema}oauth_revocations AS v ON v.family_id = r.family_id
       WHERE ${condition}`
}

/**
 * $1 to $6: the successors; $7: the record; $8: now; $9: the trace; from $10 on: the grant. Whoever comes second waits for the row, and
 * meets it as the first one left it; so no reading comes before the lock. Only the row of the record is fresh then: `alive`, of the grant and the
 * family beside it, is what it was when the statement began. A grant that ended while somebody waited lets them win, and no more: what they insert
 * hangs on that grant or family, so it is as dead as what was revoked.
 */
function consume(schema: string, withGrant: boolean): string {
  const saved = `, saved AS (${saveGrant(schema, 10, 'FROM used')})`
  const grantId = withGrant
    ? 'CASE WHEN s.grant_id = $10 THEN (SELECT id FROM saved) ELSE s.grant_id END'
    : 's.grant_id'
  return `WITH met AS MATERIALIZED (${recordWhere(schema, 'r.id = $7')} FOR UPDATE OF r),
       used AS (UPDATE ${schema}oauth_records AS r SET used_at = $8::bigint, trace = $9 FROM met
         WHERE r.id = met.id AND r.id = $7 AND r.used_at IS NULL AND met.used_at IS NULL AND met.alive = 1 RETURNING r.id)
       ${withGrant ? saved : ''},
       added AS (INSERT INTO ${schema}oauth_records (id, kind, hash, grant_id, family_id, data)
         SELECT s.id, s.kind, s.hash, ${grantId}, s.family_id, s.data FROM used, ${MEMBERS_OF_RECORDS})
       SELECT met.*, (SELECT count(*) FROM used) AS won, ${withGrant ? '(SELECT grant_json FROM saved)' : 'NULL'} AS grant_json FROM met`
}

/** $1: now; $2: the least id of a record that has not expired; $3: the limit. What another process is just deleting is left to it. */
function purge(schema: string): string {
  const old = (name: string, columns: string, condition: string, order: string) =>
    `old_${name} AS MATERIALIZED (SELECT ${columns} FROM ${schema}oauth_${name} WHERE ${condition}
         ORDER BY ${order} LIMIT $3 FOR UPDATE SKIP LOCKED)`
  return `WITH ${old('records', 'id', 'id < $2', 'id')},
       ${old('revocations', 'family_id', 'expires_at < $1', 'expires_at')},
       ${old('sessions', 'session, client_id', 'expires_at < $1', 'expires_at')},
       ${old('clients', 'id', 'expires_at < $1', 'expires_at')},
       revocations AS (DELETE FROM ${schema}oauth_revocations AS v USING old_revocations AS o WHERE v.family_id = o.family_id),
       sessions AS (DELETE FROM ${schema}oauth_sessions AS s USING (
         SELECT session, client_id FROM old_sessions
         UNION SELECT s.session, s.client_id FROM ${schema}oauth_sessions AS s JOIN old_clients AS o ON o.id = s.client_id
         ) AS o WHERE s.session = o.session AND s.client_id = o.client_id),
       clients AS (DELETE FROM ${schema}oauth_clients AS c USING old_clients AS o WHERE c.id = o.id),
       old_grants AS MATERIALIZED (${lockedGrants(schema, 'client_id IN (SELECT id FROM old_clients)')}),
       grants AS (DELETE FROM ${schema}oauth_grants AS g USING old_grants AS o WHERE g.id = o.id)
       DELETE FROM ${schema}oauth_records AS r USING old_records AS o WHERE r.id = o.id AND r.id < $2`
}

/** Rows that more than one caller may delete are locked in one order first, so that none waits for one who waits for it. */
function deleteGrants(schema: string, condition: string): string {
  return `WITH old AS MATERIALIZED (${lockedGrants(schema, condition)})
       DELETE FROM ${schema}oauth_grants AS g USING old WHERE g.id = old.id`
}

function lockedGrants(schema: string, condition: string): string {
  return `SELECT id FROM ${schema}oauth_grants WHERE ${condition} ORDER BY id FOR UPDATE`
}

function endSessions(schema: string, condition: string): string {
  return `WITH old AS MATERIALIZED (SELECT session, client_id FROM ${schema}oauth_sessions WHERE ${condition}
         ORDER BY session, client_id FOR UPDATE)
       DELETE FROM ${schema}oauth_sessions AS s USING old WHERE s.session = old.session AND s.client_id = old.client_id
       RETURNING s.session, s.client_id, s.user_id, s.expires_at`
}

/** What the store says to PostgreSQL often; `schema` stands before each table. */
function sqlOf(schema: string) {
  const insert = `INSERT INTO ${schema}oauth_records (id, kind, hash, grant_id, family_id, data) SELECT s.* FROM ${MEMBERS_OF_RECORDS}`
  const [clients, grants, keys] = [`${schema}oauth_clients`, `${schema}oauth_grants`, `${schema}oauth_keys`]
  return {
    findClient: `SELECT data FROM ${clients} WHERE id = $1`,
    addClient: `INSERT INTO ${clients} (id, revision, created_at, name, owner_id, fingerprint, expires_at, data)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING`,
    changeClient: `UPDATE ${clients} SET revision = $2::bigint, created_at = $3, name = $4, owner_id = $5, fingerprint = $6, expires_at = $7,
         data = $8 WHERE id = $1 AND revision = $2::bigint - 1`,
    deleteClient: `WITH sessions AS (DELETE FROM ${schema}oauth_sessions WHERE client_id = $1),
       old AS MATERIALIZED (${lockedGrants(schema, 'client_id = $1')}),
       grants AS (DELETE FROM ${grants} AS g USING old WHERE g.id = old.id)
       DELETE FROM ${clients} WHERE id = $1`,

    findGrant: `SELECT ${GRANT_AS_JSON} FROM ${grants} AS g WHERE user_id = $1 AND client_id = $2`,
    saveGrant: saveGrant(schema, 1),
    touchGrant: `UPDATE ${grants} SET last_used_at = $2, last_used_from = $3 WHERE id = $1`,
    deleteGrant: `DELETE FROM ${grants} AS g WHERE id = $1 AND ($2::text IS NULL OR user_id = $2) RETURNING ${GRANT_AS_JSON}`,
    deleteGrantsOfUser: deleteGrants(schema, 'user_id = $1'),
    deleteGrantsOfClient: deleteGrants(schema, 'client_id = $1'),

    insertRecord: `${insert} ON CONFLICT (id) DO NOTHING`,
    insertRecords: `${insert} WHERE NOT EXISTS (SELECT 1 FROM ${schema}oauth_records WHERE id = ANY ($1::text[]))`,
    findRecord: recordWhere(schema, 'r.id = $1'),
    consume: consume(schema, false),
    consumeWithGrant: consume(schema, true),
    amendRecord: `UPDATE ${schema}oauth_records SET data = $3 WHERE id = $1 AND data = $2 AND used_at IS NULL`,
    revokeFamily: `INSERT INTO ${schema}oauth_revocations AS v (family_id, expires_at) VALUES ($1, $2)
       ON CONFLICT (family_id) DO UPDATE SET expires_at = greatest(v.expires_at, excluded.expires_at)`,

    findKeys: `SELECT revision, data FROM ${keys}`,
    addKeys: `INSERT INTO ${keys} (id, revision, data) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING`,
    changeKeys: `UPDATE ${keys} SET revision = $1::bigint, data = $2 WHERE revision = $1::bigint - 1`,

    saveSession: `INSERT INTO ${schema}oauth_sessions (session, client_id, user_id, expires_at) VALUES ($1, $2, $3, $4)
       ON CONFLICT (session, client_id) DO UPDATE SET expires_at = excluded.expires_at`,
    hasSession: `SELECT 1 FROM ${schema}oauth_sessions WHERE session = $1 AND client_id = $2`,
    endSessions: endSessions(schema, 'session = $1'),
    endSessionsOfUser: endSessions(schema, 'user_id = $1'),

    appendAudit: `WITH old AS MATERIALIZED (SELECT id FROM ${schema}oauth_audit WHERE id < $10 ORDER BY id LIMIT $11 FOR UPDATE SKIP LOCKED),
       trimmed AS (DELETE FROM ${schema}oauth_audit AS a USING old WHERE a.id = old.id)
       INSERT INTO ${schema}oauth_audit (id, at, event, client_id, user_id, grant_id, by, address, details)
       SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
       ON CONFLICT (id) DO NOTHING`,
    purge: purge(schema),
  } as const
}

export interface Prepared {
  readonly name: string
  readonly text: string
}

export type Statements = Readonly<Record<keyof ReturnType<typeof sqlOf>, Prepared>>

/** Their names hold a digest of what they say: another version of this package, or another schema, may use the same connections. */
export function statementsFor(schema: string): Statements {
  const prepared = Object.entries(sqlOf(schema)).map(([name, text]) => {
    const digest = createHash('sha256').update(text).digest('hex').slice(0, 12)
    return [name, { name: `oauth_${name}_${digest}`, text }]
  })
  return Object.fromEntries(prepared)
}
