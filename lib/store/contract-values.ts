import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { AuditEntry, Client, ClientSession, Grant, RecordKind, StoredRecord } from './records.js'
import type { Store } from './store.js'

/** What a store must do, by the sentence that says so. */
export type Guarantees = Readonly<Record<string, (store: Store) => Promise<void>>>

export const HOUR = 3_600_000

export function newClient(id: string, more: Partial<Client> = {}): Client {
  return {
    id,
    revision: 1,
    name: `Client ${id}`,
    confidential: false,
    redirectUris: [`https://${id}.example/cb`],
    grantTypes: ['authorization_code', 'refresh_token'],
    skipConsent: false,
    requirePkce: true,
    disabled: false,
    createdAt: Date.now(),
    ...more,
  }
}

export function newGrant(userId: string, clientId: string, more: Partial<Grant> = {}): Grant {
  return {
    id: randomBytes(16).toString('base64url'),
    userId,
    clientId,
    access: { 'https://api.example': ['read'] },
    createdAt: Date.now(),
    ...more,
  }
}

/** A record that expires in an hour, or at `expiresAt`. */
export function newRecord(
  more: Partial<StoredRecord> = {},
  expiresAt: number = Date.now() + HOUR,
): StoredRecord {
  return {
    id: expiresAt.toString(16).padStart(12, '0') + randomBytes(10).toString('hex'),
    kind: 'refresh',
    hash: randomBytes(32),
    data: '{}',
    ...more,
  }
}

export const KINDS = Object.keys({
  request: 0,
  pushed: 0,
  code: 0,
  access: 0,
  refresh: 0,
  device: 0,
  user_code: 0,
  decision: 0,
  nonce: 0,
  assertion: 0,
  proof: 0,
  attempt: 0,
} satisfies Record<RecordKind, 0>) as readonly RecordKind[]

/** A session that expires in an hour. */
export function newSession(
  session: string,
  clientId: string,
  userId: string,
  more: Partial<ClientSession> = {},
): ClientSession {
  return { session, clientId, userId, expiresAt: Date.now() + HOUR, ...more }
}

/** An entry of the audit log, of a millisecond. */
export function newEntry(at: number, more: Partial<AuditEntry> = {}): AuditEntry {
  const id = at.toString(16).padStart(12, '0') + randomBytes(10).toString('hex')
  return { id, at, event: 'token.issued', ...more }
}

/** What would be more than a name to a store that puts it into its statements, or takes it for a pattern. */
export const ODD = `%' OR '1'='1"\\_$1; DROP TABLE clients;--\n\0\ufffe0\u00e9\u{1f511}`

/** Compares what is in two values, whatever their prototypes: drivers have their own, and test runners put them into another realm. */
export function assertSame(actual: unknown, expected: unknown): void {
  assert.deepEqual(plain(actual), plain(expected))
}

function plain(value: unknown): unknown {
  if (value === undefined) return undefined
  return JSON.parse(
    JSON.stringify(value, function (this: Record<string, unknown>, key, member) {
      const given = this[key]
      return ArrayBuffer.isView(given) ? Buffer.from(given as Uint8Array).toString('hex') : member
    }),
  )
}

export async function isAlive(store: Store, { id }: StoredRecord): Promise<boolean> {
  return (await store.find(id))?.alive ?? false
}
