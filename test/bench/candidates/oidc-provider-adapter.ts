import type { Database, Statement } from 'better-sqlite3'

/** One table for all, with the indexes that its operations look rows up by. */
export const SCHEMA = `CREATE TABLE oidc (
    model TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, grant_id TEXT, user_code TEXT, uid TEXT,
    expires_at INTEGER, consumed_at INTEGER, PRIMARY KEY (model, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX oidc_by_grant ON oidc (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX oidc_by_uid ON oidc (uid) WHERE uid IS NOT NULL;
  CREATE INDEX oidc_by_user_code ON oidc (user_code) WHERE user_code IS NOT NULL`

interface Payload {
  readonly grantId?: string
  readonly userCode?: string
  readonly uid?: string
  readonly consumed?: number
}

interface Row {
  readonly payload: string
  readonly expires_at: number | null
  readonly consumed_at: number | null
}

/** Makes the adapter of each model. Every write is a statement, and so a commit, of its own. */
export function adaptersOn(db: Database): new (model: string) => object {
  const statements = {
    upsert: db.prepare(`INSERT INTO oidc (model, id, payload, grant_id, user_code, uid, expires_at)
      VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload,
      expires_at = excluded.expires_at`),
    find: db.prepare('SELECT payload, expires_at, consumed_at FROM oidc WHERE model = ? AND id = ?'),
    findBy: {
      uid: db.prepare('SELECT payload, expires_at, consumed_at FROM oidc WHERE uid = ? AND model = ?'),
      userCode: db.prepare(
        'SELECT payload, expires_at, consumed_at FROM oidc WHERE user_code = ? AND model = ?',
      ),
    },
    consume: db.prepare('UPDATE oidc SET consumed_at = ? WHERE model = ? AND id = ?'),
    destroy: db.prepare('DELETE FROM oidc WHERE model = ? AND id = ?'),
    revoke: db.prepare('DELETE FROM oidc WHERE grant_id = ?'),
  }
  return class {
    readonly #model: string

    constructor(model: string) {
      this.#model = model
    }

    async upsert(id: string, payload: Payload, expiresIn?: number): Promise<void> {
      const { grantId = null, userCode = null, uid = null } = payload
      const expiresAt = expiresIn === undefined ? null : seconds() + Math.floor(expiresIn)
      statements.upsert.run(this.#model, id, JSON.stringify(payload), grantId, userCode, uid, expiresAt)
    }

    async find(id: string): Promise<Payload | undefined> {
      return found(statements.find, this.#model, id)
    }

    async findByUid(uid: string): Promise<Payload | undefined> {
      return found(statements.findBy.uid, uid, this.#model)
    }

    async findByUserCode(userCode: string): Promise<Payload | undefined> {
      return found(statements.findBy.userCode, userCode, this.#model)
    }

    async consume(id: string): Promise<void> {
      statements.consume.run(seconds(), this.#model, id)
    }

    async destroy(id: string): Promise<void> {
      statements.destroy.run(this.#model, id)
    }

    async revokeByGrantId(grantId: string): Promise<void> {
      statements.revoke.run(grantId)
    }
  }
}

function found(statement: Statement, ...key: readonly string[]): Payload | undefined {
  const row = statement.get(...key) as Row | undefined
  if (row === undefined || (row.expires_at !== null && row.expires_at <= seconds())) return undefined
  const payload = JSON.parse(row.payload) as Payload
  return row.consumed_at === null ? payload : { ...payload, consumed: row.consumed_at }
}

function seconds(): number {
  return Math.floor(Date.now() / 1000)
}
