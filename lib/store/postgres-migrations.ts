import { ConfigurationError } from '../errors.js'
import { type PostgresClient, type PostgresPool, sqlState, withClient } from './postgres-connection.js'
import type { Migrated, TableVersion } from './table-version.js'

/** For everybody who migrates tables of ours in one database: any number that nobody else takes. */
const ADVISORY_LOCK = 7_306_915_841_562_018

/** What PostgreSQL says where there is no such table. */
const UNDEFINED_TABLE = '42P01'

/**
 * The schema, one step a number. A step that has been released is never edited.
 *
 * The tables are those of SQLite (migrations.ts). What sorts or is compared does so byte by byte, whatever the collation of the database;
 * `access` is a list of pairs, as the members of an object have no order here.
 */
const MIGRATIONS: readonly ((schema: string) => string)[] = [
  (schema) => `CREATE TABLE ${schema}oauth_clients (
     id text COLLATE "C" PRIMARY KEY,
     revision bigint NOT NULL,
     created_at bigint NOT NULL,
     name text COLLATE "C" NOT NULL,
     owner_id text COLLATE "C",
     fingerprint text COLLATE "C",
     expires_at bigint,
     data text NOT NULL
   );
   CREATE INDEX oauth_clients_by_age ON ${schema}oauth_clients (created_at, id);
   CREATE INDEX oauth_clients_by_owner ON ${schema}oauth_clients (owner_id) WHERE owner_id IS NOT NULL;
   CREATE INDEX oauth_clients_by_fingerprint ON ${schema}oauth_clients (fingerprint) WHERE fingerprint IS NOT NULL;
   CREATE INDEX oauth_clients_by_expiry ON ${schema}oauth_clients (expires_at) WHERE expires_at IS NOT NULL;

   CREATE TABLE ${schema}oauth_grants (
     id text COLLATE "C" PRIMARY KEY,
     user_id text COLLATE "C" NOT NULL,
     client_id text COLLATE "C" NOT NULL,
     access jsonb NOT NULL,
     claims jsonb,
     created_at bigint NOT NULL,
     last_used_at bigint,
     last_used_from text,
     withdrawn jsonb,
     UNIQUE (user_id, client_id)
   );
   CREATE INDEX oauth_grants_by_client ON ${schema}oauth_grants (client_id, created_at DESC, id);
   CREATE INDEX oauth_grants_by_client_and_id ON ${schema}oauth_grants (client_id, id);

   CREATE TABLE ${schema}oauth_records (
     id text COLLATE "C" PRIMARY KEY,
     kind text NOT NULL,
     hash bytea NOT NULL,
     grant_id text COLLATE "C",
     family_id text COLLATE "C",
     used_at bigint,
     trace text,
     data text NOT NULL
   );

   CREATE TABLE ${schema}oauth_revocations (
     family_id text COLLATE "C" PRIMARY KEY,
     expires_at bigint NOT NULL
   );
   CREATE INDEX oauth_revocations_by_expiry ON ${schema}oauth_revocations (expires_at);

   CREATE TABLE ${schema}oauth_keys (
     id integer PRIMARY KEY CHECK (id = 1),
     revision bigint NOT NULL,
     data text NOT NULL
   );

   CREATE TABLE ${schema}oauth_sessions (
     session text COLLATE "C" NOT NULL,
     client_id text COLLATE "C" NOT NULL,
     user_id text COLLATE "C" NOT NULL,
     expires_at bigint NOT NULL,
     PRIMARY KEY (session, client_id)
   );
   CREATE INDEX oauth_sessions_by_user ON ${schema}oauth_sessions (user_id);
   CREATE INDEX oauth_sessions_by_client ON ${schema}oauth_sessions (client_id);
   CREATE INDEX oauth_sessions_by_expiry ON ${schema}oauth_sessions (expires_at);

   CREATE TABLE ${schema}oauth_audit (
     id text COLLATE "C" PRIMARY KEY,
     at bigint NOT NULL,
     event text NOT NULL,
     client_id text COLLATE "C",
     user_id text COLLATE "C",
     grant_id text COLLATE "C",
     by text,
     address text,
     details text
   );`,
]

/** Changes nothing. */
export function versionOfTables(pool: PostgresPool, schema: string | undefined): Promise<TableVersion> {
  return withClient(pool, async (client) => ({
    at: await versionOf(client, schemaPrefix(schema)),
    latest: MIGRATIONS.length,
  }))
}

/** Brings the tables up to date. Several processes may start at once: one does it, the others wait. */
export function migratePostgres(pool: PostgresPool, schema: string | undefined): Promise<Migrated> {
  const prefix = schemaPrefix(schema)
  return withClient(pool, async (client) => {
    const from = requireKnown(await versionOf(client, prefix))
    if (from === MIGRATIONS.length) return { from, to: from }
    try {
      await client.query({ text: 'BEGIN' })
      await client.query({ text: `SELECT pg_advisory_xact_lock(${ADVISORY_LOCK})` })
      const migrated = await bringUpToDate(client, schema, prefix)
      await client.query({ text: 'COMMIT' })
      return migrated
    } catch (error) {
      await client.query({ text: 'ROLLBACK' }).catch(() => undefined)
      throw error
    }
  })
}

/** What stands before the name of every table; nothing where the `search_path` of the connection leads to them. */
export function schemaPrefix(schema: string | undefined): string {
  return schema === undefined ? '' : `"${schema.replaceAll('"', '""')}".`
}

async function bringUpToDate(
  client: PostgresClient,
  schema: string | undefined,
  prefix: string,
): Promise<Migrated> {
  if (schema !== undefined) await createSchema(client, schema)
  await client.query({
    text: `CREATE TABLE IF NOT EXISTS ${prefix}oauth_migrations (number integer PRIMARY KEY)`,
  })
  const from = requireKnown(await versionOf(client, prefix))
  for (const [index, step] of MIGRATIONS.entries()) {
    if (index < from) continue
    await client.query({ text: step(prefix) })
    await client.query({
      text: `INSERT INTO ${prefix}oauth_migrations (number) VALUES ($1)`,
      values: [index + 1],
    })
  }
  return { from, to: MIGRATIONS.length }
}

/** Only where it is missing: whoever may not create schemas may not say IF NOT EXISTS either. */
async function createSchema(client: PostgresClient, schema: string): Promise<void> {
  const known = await client.query({
    text: 'SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1',
    values: [schema],
  })
  if (known.rows.length === 0)
    await client.query({ text: `CREATE SCHEMA ${schemaPrefix(schema).slice(0, -1)}` })
}

async function versionOf(client: PostgresClient, prefix: string): Promise<number> {
  try {
    const text = `SELECT coalesce(max(number), 0) AS version FROM ${prefix}oauth_migrations`
    const { rows } = await client.query({ text })
    return Number(rows[0].version)
  } catch (error) {
    if (sqlState(error) === UNDEFINED_TABLE) return 0
    throw error
  }
}

function requireKnown(version: number): number {
  if (version <= MIGRATIONS.length) return version
  throw new ConfigurationError(
    'store',
    'was written by a newer version of express-oauth-provider',
    'Upgrade this installation.',
  )
}
