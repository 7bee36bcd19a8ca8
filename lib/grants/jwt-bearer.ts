import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import type { OAuthError } from '../errors.js'
import { GRANT_TYPES } from '../grant-types.js'
import { optional } from '../optional.js'
import type { HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import { useRecord } from '../single-use.js'
import { NOWHERE } from '../store/merge-grants.js'
import { newGrantId } from '../tokens/handle.js'
import { describe } from '../validation.js'
import { accessTokenAlone } from './access-token-alone.js'
import { type VerifiedAssertion, verifiedAssertion } from './assertion.js'
import type { GrantType } from './grant-type.js'
import {
  type Ceiling,
  refuseDetails,
  registeredScopes,
  requestedAudience,
  scopesWithin,
} from './own-access.js'
import { invalidGrant } from './refusal.js'
import { requireStillThere } from './still-there.js'

/** RFC 7523 §2.1: an issuer that the host trusts vouches for one of its users. */
export const jwtBearer: GrantType = {
  ...GRANT_TYPES.jwtBearer,
  parameters: ['assertion', 'scope'],
  isOffered: ({ trustedIssuers }) => trustedIssuers.size > 0,

  async issue(runtime, client, { parameters, confirmation }) {
    const { settings, store } = runtime
    const assertion = await verifiedAssertion(runtime, parameters.get('assertion'))
    refuseDetails(parameters)
    const audience = requestedAudience(parameters.all('resource'), [settings.origin], settings)
    const ceiling = ceilingOf(runtime, client, assertion)
    const scopes = scopesWithin(ceiling, parameters.get('scope'), audience, settings)
    const userId = await userOf(runtime, client, assertion)
    const use = useRecord('assertion', assertion.use)
    // It is used up below, together with what it gives. Here it only must not bring back a grant that has been withdrawn since.
    if ((await store.find(use.id)) !== undefined) throw replayed()

    const now = runtime.now()
    // So that it can be seen and withdrawn; at a resource it would pass for a consent of the user's.
    const access = { [NOWHERE]: scopes }
    const grant = { id: newGrantId(), userId, clientId: client.id, access, createdAt: now }
    const { id: grantId, withdrawn = [] } = await store.saveGrant(grant)
    await requireStillThere(runtime, client, grantId)
    const left = scopes.filter((scope) => !withdrawn.includes(scope))
    // Whom the issuer vouches for has the last word.
    if (left.length === 0)
      throw invalidGrant('The user has withdrawn from this client what it asks for.', 'grant_revoked')
    const data = {
      ...{ clientId: client.id, userId, scopes: left, audience, issuedAt: now },
      ...optional('confirmation', confirmation),
    }
    return accessTokenAlone(runtime, client, data, {
      ...{ grantType: this.name, lineage: { grantId } },
      inExchangeFor: { use, replayed },
    })
  },
}

function replayed(): OAuthError {
  return invalidGrant(
    'This assertion was used before. Get a new one from its issuer, with a jti of its own.',
    'assertion_replayed',
  )
}

/** What the client has registered, and of that what this issuer may vouch for. */
function ceilingOf(
  { settings }: Runtime,
  client: AuthenticatedClient,
  { issuer: { scopes: vouched } }: VerifiedAssertion,
): Ceiling {
  const registered = registeredScopes(client, settings)
  const scopes = registered.filter((scope) => vouched?.includes(scope) ?? true)
  return { scopes, usual: settings.defaultScopes }
}

/** The id of the host's user whom the assertion is about. */
async function userOf(
  { settings }: Runtime,
  client: AuthenticatedClient,
  { issuer, claims }: VerifiedAssertion,
): Promise<string> {
  const given: unknown = await issuer.user(claims, { clientId: client.id })
  if (given !== undefined && given !== null && typeof given !== 'string' && typeof given !== 'number')
    throw new TypeError(
      `oauthProvider: trustedIssuers: user gave ${describe(given)}. Give the id of the user, or undefined.`,
    )
  const id = String(given ?? '')
  const user = id === '' ? undefined : await settings.findUser(id)
  if (user !== undefined) return settledId(settings, id, user)
  throw invalidGrant('The assertion is about nobody who is known here.', 'assertion_user_unknown')
}

/**
 * Issuers spell a user in their own way, and where `findUser` takes each spelling, revokeUser has to reach what hangs on any: the user's own
 * id, where by that id `findUser` finds them too. For some hosts it is another thing than the ids that they know users by.
 */
async function settledId({ findUser }: Settings, id: string, user: HostUser): Promise<string> {
  const own = ownId(user)
  if (own === undefined || own === id) return id
  const found = await findUser(own)
  return found !== undefined && ownId(found) === own ? own : id
}

function ownId(user: HostUser): string | undefined {
  const { id } = user as { readonly id?: unknown }
  return typeof id === 'number' || (typeof id === 'string' && id !== '') ? String(id) : undefined
}
