import { type Outgoing, OutgoingError } from '../outgoing/outgoing.js'
import type { Client } from '../store/records.js'
import { invalid } from './fields.js'

/**
 * OpenID Connect Core §8.1: whoever shares a sector shares the identities of users, so the sector has to say that these redirect URIs
 * belong to it.
 */
export async function confirmSector(
  { sectorIdentifierUri, redirectUris }: Pick<Client, 'sectorIdentifierUri' | 'redirectUris'>,
  outgoing: Outgoing,
): Promise<void> {
  if (sectorIdentifierUri === undefined) return
  const listed = await fetchList(sectorIdentifierUri, outgoing)
  if (!Array.isArray(listed) || !Array.from(listed).every((uri) => typeof uri === 'string'))
    throw refused('does not answer an array of redirect URIs', "Answer JSON there: ['https://...'].")
  const missing = redirectUris.find((uri) => !listed.includes(uri))
  if (missing !== undefined) throw refused(`does not list ${missing}`, 'Add it there.')
}

async function fetchList(uri: string, outgoing: Outgoing): Promise<unknown> {
  try {
    // What was wrong a moment ago may have been mended since.
    return (await outgoing.fetchJson(uri, { fresh: true })).body
  } catch (error) {
    if (!(error instanceof OutgoingError)) throw error
    throw refused(`cannot be fetched: ${error.message}`, 'Publish the list there.', error)
  }
}

function refused(problem: string, remedy: string, cause?: unknown) {
  return invalid('sector_identifier_uri', problem, remedy, cause)
}
