import type { Store } from '../../lib/store/store.js'

/** The clock of a store with these. */
export const NOW = 1_700_000_000_000
const LATER = NOW + 3_600_000

function record(number: number, more: { grantId?: string; familyId?: string } = {}, expiresAt = LATER) {
  const id = expiresAt.toString(16).padStart(12, '0') + String(number).padStart(20, '0')
  return { id, kind: 'code', hash: Buffer.alloc(32, number), data: '{}', ...more } as const
}

const client = {
  id: 'a',
  revision: 1,
  name: 'A',
  confidential: false,
  redirectUris: ['https://a.example/cb'],
  grantTypes: ['authorization_code'],
  skipConsent: false,
  requirePkce: true,
  disabled: false,
  createdAt: NOW,
}
const access = { 'https://api.example': ['read', 'write'] }
const grant = { id: 'g', userId: 'alice', clientId: 'a', access, createdAt: NOW }
const lineage = { grantId: 'g', familyId: 'f' }
const session = { session: 's', clientId: 'a', userId: 'alice', expiresAt: LATER }
const entry = { at: NOW, event: 'token.issued' }

/** Something of everything. */
export async function fill(store: Store): Promise<void> {
  await store.saveClient(client)
  await store.saveGrant(grant)
  await store.insert([record(1, lineage), record(2), record(3, {}, NOW + 1000)])
  await store.saveKeys({ revision: 1, data: 'keys' })
  await store.saveSession(session)
  await store.appendAudit([{ ...entry, id: '1' }], 0)
}

/** Every kind of write, each of which changes what `fill` has left. */
export const writes: Partial<Record<keyof Store, (store: Store) => unknown>> = {
  saveClient: (store) => store.saveClient({ ...client, revision: 2, name: 'B' }),
  deleteClient: (store) => store.deleteClient('a'),
  saveGrant: (store) => store.saveGrant({ ...grant, id: 'h', access: { 'https://b.example': ['read'] } }),
  touchGrant: (store) => store.touchGrant('g', NOW, '::1'),
  revokeGrant: (store) => store.revokeGrant('g'),
  revokeUser: (store) => store.revokeUser('alice'),
  revokeClient: (store) => store.revokeClient('a'),
  withdrawScopes: (store) => store.withdrawScopes({}, ['read'], 10),
  insert: (store) => store.insert([record(4), record(5), record(6, lineage)]),
  consume: (store) =>
    store.consume(
      record(1).id,
      { now: NOW, trace: 't', grant: { ...grant, id: 'h', access: { c: ['read'] } } },
      [record(4, { grantId: 'h', familyId: 'f' }), record(5, lineage)],
    ),
  amend: (store) => store.amend(record(2).id, '{}', '{"a":1}'),
  revokeFamily: (store) => store.revokeFamily('f', LATER),
  saveKeys: (store) => store.saveKeys({ revision: 2, data: 'others' }),
  saveSession: (store) => store.saveSession({ ...session, clientId: 'b' }),
  endSessions: (store) => store.endSessions({ session: 's' }),
  appendAudit: (store) =>
    store.appendAudit(
      [
        { ...entry, id: '2' },
        { ...entry, id: '3' },
      ],
      0,
    ),
  purge: (store) => store.purge(NOW + 2000, 10),
}
