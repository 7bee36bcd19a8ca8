import type { Database } from 'better-sqlite3'
import { ConfigurationError } from '../errors.js'

/**
 * The schema, one step a number. A step that has been released is never edited.
 *
 * Records are one table whose key begins with the time of expiry: rows are appended side by side, purging is a range at its front,
 * and no second index is kept. A grant that is deleted, or a family that is named in `oauth_revocations`, ends all that hang on it.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE oauth_clients (
     id TEXT PRIMARY KEY,
     revision INTEGER NOT NULL,
     created_at INTEGER NOT NULL,
     data TEXT NOT NULL
   ) STRICT;

   CREATE TABLE oauth_grants (
     id TEXT PRIMARY KEY,
     user_id TEXT NOT NULL,
     client_id TEXT NOT NULL,
     access TEXT NOT NULL,
     claims TEXT,
     created_at INTEGER NOT NULL,
     last_used_at INTEGER,
     UNIQUE (user_id, client_id)
   ) STRICT;
   CREATE INDEX oauth_grants_by_client ON oauth_grants (client_id);

   CREATE TABLE oauth_records (
     id TEXT PRIMARY KEY,
     kind TEXT NOT NULL,
     hash BLOB NOT NULL,
     grant_id TEXT,
     family_id TEXT,
     used_at INTEGER,
     trace TEXT,
     data TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE oauth_revocations (
     family_id TEXT PRIMARY KEY,
     expires_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX oauth_revocations_by_expiry ON oauth_revocations (expires_at);

   CREATE TABLE oauth_keys (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     revision INTEGER NOT NULL,
     data TEXT NOT NULL
   ) STRICT;

   CREATE TABLE oauth_sessions (
     session TEXT NOT NULL,
     client_id TEXT NOT NULL,
     user_id TEXT NOT NULL,
     expires_at INTEGER NOT NULL,
     PRIMARY KEY (session, client_id)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX oauth_sessions_by_user ON oauth_sessions (user_id);
   CREATE INDEX oauth_sessions_by_expiry ON oauth_sessions (expires_at);`,

  `ALTER TABLE oauth_clients ADD COLUMN name TEXT NOT NULL DEFAULT '';
   ALTER TABLE oauth_clients ADD COLUMN owner_id TEXT;
   ALTER TABLE oauth_clients ADD COLUMN fingerprint TEXT;
   ALTER TABLE oauth_clients ADD COLUMN expires_at INTEGER;
   UPDATE oauth_clients SET name = coalesce(json_extract(data, '$.name'), '');
   CREATE INDEX oauth_clients_by_age ON oauth_clients (created_at, id);
   CREATE INDEX oauth_clients_by_owner ON oauth_clients (owner_id) WHERE owner_id IS NOT NULL;
   CREATE INDEX oauth_clients_by_fingerprint ON oauth_clients (fingerprint) WHERE fingerprint IS NOT NULL;
   CREATE INDEX oauth_clients_by_expiry ON oauth_clients (expires_at) WHERE expires_at IS NOT NULL;

   ALTER TABLE oauth_grants ADD COLUMN last_used_from TEXT;
   ALTER TABLE oauth_grants ADD COLUMN withdrawn TEXT;
   DROP INDEX oauth_grants_by_client;
   CREATE INDEX oauth_grants_by_client ON oauth_grants (client_id, created_at DESC, id);
   CREATE INDEX oauth_grants_by_client_and_id ON oauth_grants (client_id, id);

   CREATE INDEX oauth_sessions_by_client ON oauth_sessions (client_id);

   CREATE TABLE oauth_audit (
     id TEXT PRIMARY KEY,
     at INTEGER NOT NULL,
     event TEXT NOT NULL,
     client_id TEXT,
     user_id TEXT,
     grant_id TEXT,
     by TEXT,
     address TEXT,
     details TEXT
   ) STRICT, WITHOUT ROWID;`,
]

/** The number of the last step. */
export const LATEST = MIGRATIONS.length

/** The number of the last step that a database has been through; 0 for one that has none of our tables. */
export function migrationsDone(db: Database): number {
  const ours = db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'oauth_migrations'")
  return ours.get() === undefined ? 0 : lastDone(db)
}

function lastDone(db: Database): number {
  return db.prepare('SELECT coalesce(max(number), 0) FROM oauth_migrations').pluck().get() as number
}

/** Brings the tables up to date. Several processes may start at once: the first one does it, the others wait. */
export function migrate(db: Database): void {
  const bringUpToDate = db.transaction(() => {
    db.exec('CREATE TABLE IF NOT EXISTS oauth_migrations (number INTEGER PRIMARY KEY) STRICT')
    const done = lastDone(db)
    if (done > MIGRATIONS.length) {
      throw new ConfigurationError(
        'store',
        'was written by a newer version of express-oauth-provider',
        'Upgrade this installation.',
      )
    }
    for (const [index, step] of MIGRATIONS.entries()) {
      if (index < done) continue
      db.exec(step)
      db.prepare('INSERT INTO oauth_migrations (number) VALUES (?)').run(index + 1)
    }
  })
  bringUpToDate.immediate()
}
