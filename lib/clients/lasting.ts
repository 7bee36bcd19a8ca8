import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { changeClient } from './change.js'

/** For how long a client that came by itself is known without a token, in milliseconds. */
export const PROBATION = 86_400_000

/** Whether a client came by itself, and has never got a token. */
export function isOnProbation({ expiresAt }: Pick<Client, 'expiresAt'>): boolean {
  return expiresAt !== undefined
}

/** Whether a client came by itself, and has not got a token in time. */
export function isForgotten({ expiresAt }: Pick<Client, 'expiresAt'>, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now
}

/** A client as it is just before it is deleted, in nobody's hands: by the change to this a deletion counts only of what was found. */
export function withdrawn(client: Client, now: number): Client {
  const { registrationToken: _, fingerprint: __, ownerId: ___, ...left } = client
  return { ...left, disabled: true, expiresAt: now + PROBATION }
}

/** A client that has got a token stays; where somebody changed it meanwhile, that stays too. */
export async function keepForGood({ store }: Pick<Runtime, 'store'>, client: Client): Promise<void> {
  await changeClient(
    store,
    () => store.findClient(client.id),
    (stored) => {
      if (stored.expiresAt === undefined || stored.createdAt !== client.createdAt) return stored
      const { expiresAt: _, ...kept } = stored
      return kept
    },
  )
}
