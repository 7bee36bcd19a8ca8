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
]

/** Brings the tables up to date. Several processes may start at once: the first one does it, the others wait. */
export function migrate(db: Database): void {
  const bringUpToDate = db.transaction(() => {
    db.exec('CREATE TABLE IF NOT EXISTS oauth_migrations (number INTEGER PRIMARY KEY) STRICT')
    const done = db.prepare('SELECT coalesce(max(number), 0) FROM oauth_migrations').pluck().get() as number
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
