import { invalid } from '../clients/fields.js'
import { refuseGrowth } from '../clients/growth.js'
import { goesUnasked } from '../grant-types.js'
import type { ClientMetadata } from '../options.js'
import type { Client } from '../store/records.js'
import type { SoftwareStatement } from './software-statement.js'

type Metadata = Pick<ClientMetadata, 'grant_types' | 'scope' | 'authorization_details_types'>

/**
 * Whether a software statement names this grant type. It is no secret (it comes with the software), so whoever has it can say beside it what they
 * like: it vouches for what it says itself, and for nothing else.
 */
export function isNamedBy(statement: SoftwareStatement | undefined, grantType: string): boolean {
  return statement?.metadata.grant_types?.includes(grantType) ?? false
}

/** Refuses what a client would get with no user asked, and its statement does not name. What that does name is all that the client has of it. */
export function refuseUnnamed(metadata: Metadata, statement: SoftwareStatement | undefined): void {
  if (!metadata.grant_types?.some(goesUnasked)) return
  const named = statement?.metadata ?? {}
  const problem = 'is not named by a software statement, and no user would be asked'
  const remedy = 'Bring a statement that names it, or an initial access token.'
  // None at all would stand for all where tokens are exchanged.
  if (metadata.scope === undefined || named.scope === undefined) throw invalid('scope', problem, remedy)
  const types = 'authorization_details_types'
  if (metadata[types] !== undefined && named[types] === undefined) throw invalid(types, problem, remedy)
}

/**
 * Whoever let a client in has seen what it can have with no user asked; to have more, somebody has to look again.
 * `brought`: a statement that the client has not had before.
 */
export function refuseWidening(
  stored: Client,
  client: Client,
  metadata: Metadata,
  brought: SoftwareStatement | undefined,
): void {
  const unasked = client.grantTypes.filter(goesUnasked)
  if (unasked.length === 0) return
  // What it could have had of its users, nobody has vouched for.
  if (!unasked.every((grantType) => stored.grantTypes.includes(grantType))) {
    refuseUnnamed(metadata, brought)
    return
  }
  const named = brought?.metadata ?? {}
  const refuse = (field: Parameters<typeof refuseGrowth>[0], ...[before, now]: Lists) =>
    named[field] === undefined && refuseGrowth(field, before, now, PROBLEM, REMEDY)
  refuse('scope', stored.scopes, client.scopes)
  refuse('authorization_details_types', stored.authorizationDetailsTypes, client.authorizationDetailsTypes)
}

type Lists = [before: readonly string[] | undefined, now: readonly string[] | undefined]

const PROBLEM = 'would give more than was registered, with no user asked'
const REMEDY = 'Keep it as it is or narrower, or register anew.'
