import { type Outgoing, OutgoingError } from '../outgoing/outgoing.js'
import type { Client } from '../store/records.js'
import { isVouchedFor, needsNoRedirect, provesKeys, sectorOf } from '../vouched.js'
import { invalid } from './fields.js'

type Member = Pick<
  Client,
  'redirectUris' | 'jwksUri' | 'tokenEndpointAuthMethod' | 'source' | 'verified' | 'grantTypes'
>

/**
 * What a sector lists of a client: its redirect URIs, or where it has none, its jwks_uri (OpenID Connect Core §8.1, CIBA §4). Both where its
 * redirect URIs say nothing of who it is.
 */
export function sectorEntries(client: Member): readonly string[] {
  const { redirectUris, jwksUri } = client
  if (jwksUri === undefined) return redirectUris
  if (redirectUris.length === 0) return [jwksUri]
  return needsNoRedirect(client) && provesKeys(client) ? [...redirectUris, jwksUri] : redirectUris
}

/**
 * A client that says of itself where it belongs stays there: with what its users have allowed it at one site it would else learn who they are
 * at another one, which never redirected them to it.
 */
export function refuseOtherSector(before: Client, after: Client): void {
  if (after.subjectType !== 'pairwise') return
  if (before.subjectType !== 'pairwise')
    throw invalid('subject_type', 'cannot become pairwise', 'Register anew: users would be others to it.')
  if (sectorOf(before) !== sectorOf(after))
    throw invalid(
      'subject_type',
      'is pairwise, and the client would belong to another site',
      'Register anew there.',
    )
}

/** Whoever shares a sector shares the identities of users, so the sector has to say that this client belongs to it. */
export async function confirmSector(
  client: Member & Pick<Client, 'sectorIdentifierUri'>,
  outgoing: Outgoing,
): Promise<void> {
  const { sectorIdentifierUri } = client
  if (sectorIdentifierUri === undefined) return
  const entries = sectorEntries(client)
  if (entries.length === 0)
    throw refused(
      'has nothing to list of a client with neither redirect URIs nor a jwks_uri',
      'Leave it out, and the client is a sector by itself; or give a jwks_uri, and list that there.',
    )
  const listed = await fetchList(sectorIdentifierUri, outgoing, !isVouchedFor(client))
  if (!Array.isArray(listed) || !Array.from(listed).every((uri) => typeof uri === 'string'))
    throw refused('does not answer an array of URIs', "Answer JSON there: ['https://...'].")
  const missing = entries.find((uri) => !listed.includes(uri))
  if (missing !== undefined) throw refused(`does not list ${missing}`, 'Add it there.')
}

async function fetchList(uri: string, outgoing: Outgoing, stranger: boolean): Promise<unknown> {
  try {
    // What was wrong a moment ago may have been mended since.
    return (await outgoing.fetchJson(uri, { fresh: true, stranger })).body
  } catch (error) {
    if (!(error instanceof OutgoingError)) throw error
    throw refused(`cannot be fetched: ${error.message}`, 'Publish the list there.', error)
  }
}

function refused(problem: string, remedy: string, cause?: unknown) {
  return invalid('sector_identifier_uri', problem, remedy, cause)
}
