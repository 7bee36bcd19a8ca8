import type { Settings } from '../settings.js'
import { documentUrl } from './document-url.js'
import { invalid } from './fields.js'

const REMEDY = 'Use letters, digits, - and _, or leave it to oauth.clients.create.'

/**
 * Client ids are compared byte for byte, so nothing invisible may be in one. A URL says that the metadata of a client lie there; what the host
 * registers under it counts instead (OAuth Client ID Metadata Document §7.2), so it has to be one at which they could lie.
 */
export function identifier(id: unknown): string {
  if (typeof id !== 'string' || !/^[^\p{C}]{1,255}$/u.test(id) || id.trim() !== id)
    throw invalid('client_id', 'is no text, or empty, too long, or has invisible characters', REMEDY)
  const url = /^https:/i.test(id) ? documentUrl(id) : undefined
  if (url === undefined || url instanceof URL) return id
  throw invalid('client_id', `is a URL that ${url.problem}`, url.remedy)
}

/** RFC 9700 §4.15: whoever looks at `sub` alone would take a client for the user who has its id. */
export async function refuseIdOfUser(id: string, { findUser }: Pick<Settings, 'findUser'>): Promise<void> {
  // Many lookups fail for what cannot be an id of theirs, so a failure says that it is none.
  const user = await findUser(id).catch(() => undefined)
  if (user !== undefined)
    throw invalid('client_id', 'is the id of a user', 'Choose another, or leave it out.')
}
