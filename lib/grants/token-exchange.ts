import type { Actor } from '../actor.js'
import { accessTokenFormat, narrowedResources } from '../authorization/resource.js'
import { scopesOf } from '../authorization/scope.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { GRANT_TYPES } from '../grant-types.js'
import { optional } from '../optional.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import { isIdentityScope } from '../scopes.js'
import type { Settings } from '../settings.js'
import { lineageOf } from '../tokens/access-token.js'
import { expiryOf } from '../tokens/handle.js'
import { accessTokenLifetime } from '../tokens/lifetimes.js'
import { subjectOf } from '../tokens/subject.js'
import { noteUse } from '../tokens/use.js'
import { accessTokenAlone } from './access-token-alone.js'
import { allowedScopes } from './exchange-policy.js'
import {
  ACCESS_TOKEN,
  type Brought,
  broughtToken,
  checkActor,
  JWT,
  refused,
  toldOf,
} from './exchanged-token.js'
import type { GrantType } from './grant-type.js'
import { type Ceiling, refuseDetails, requestedAudience, scopesWithin } from './own-access.js'
import { remainingUser } from './user.js'

/** Services that pass one request on to each other. More is a loop, in which each token would be longer than the one before. */
const MOST_ACTORS = 10

/** RFC 8693: a service that got a token of a user gets another one with which to call the next service for them. */
export const tokenExchange: GrantType = {
  ...GRANT_TYPES.tokenExchange,
  parameters: [
    ...['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type'],
    ...['requested_token_type', 'scope'],
  ],
  isOffered: (settings) => settings.tokenExchange !== undefined,

  async issue(runtime, client, { parameters, confirmation }) {
    const { settings } = runtime
    const subject = await broughtToken(runtime, parameters, 'subject', confirmation)
    if (subject === undefined)
      throw refused(
        'subject_token is missing. Send the access token that is to be exchanged.',
        'subject_token_missing',
      )
    const userId = await userOf(subject, runtime)
    const actor = await broughtToken(runtime, parameters, 'actor', confirmation)
    checkActor(actor, client)
    await requireActingUser(actor, runtime)
    refuseDetails(parameters)
    const audience = audienceOf(subject, client, parameters, settings)
    const ceiling = ceilingOf(subject, client, settings)
    const asked = scopesWithin(ceiling, parameters.get('scope'), audience, settings)
    const issuedType = issuedTokenType(parameters.get('requested_token_type'), audience, settings)
    const act = actsFor(subject, actor, client, settings)
    const scopes = await allowedScopes(settings, {
      ...{ clientId: client.id, subject: toldOf(subject), scopes: [...asked] },
      ...{ resources: [...audience], ...optional('actor', actor && toldOf(actor)) },
    })

    const issuedAt = runtime.now()
    const lifetime = accessTokenLifetime(settings, client, audience) * 1000
    const brought = actor === undefined ? [subject] : [subject, actor]
    const ends = brought.map(({ record }) => expiryOf(record.id))
    const { authentication } = subject.data
    const data = {
      ...{ clientId: client.id, userId, scopes, audience, issuedAt },
      ...optional('authentication', authentication),
      ...optional('confirmation', confirmation),
      ...optional('actor', act),
    }
    const answer = await accessTokenAlone(runtime, client, data, {
      grantType: this.name,
      lineage: lineageOf(subject.record),
      expiresAt: Math.min(issuedAt + lifetime, ...ends),
    })
    noteUse(runtime, subject.record, '/token')
    return { ...answer, issued_token_type: issuedType }
  },
}

/** The user whom the new token is about. */
async function userOf({ data }: Brought, runtime: Runtime): Promise<string> {
  const { userId } = data
  if (userId === undefined)
    throw refused(
      'The subject_token is one of a client that speaks for itself. Bring one that a user has allowed.',
      'subject_without_user',
    )
  if ((await remainingUser(runtime, userId)) !== undefined) return userId
  throw refused(
    'The user of the subject_token no longer exists. Bring a token of another user.',
    'subject_user_gone',
  )
}

/** Who has closed their account acts for nobody. */
async function requireActingUser(actor: Brought | undefined, runtime: Runtime): Promise<void> {
  const userId = actor?.data.userId
  if (userId === undefined || (await remainingUser(runtime, userId)) !== undefined) return
  throw refused(
    'The user of the actor_token no longer exists. Bring a token of another user, or none.',
    'actor_user_gone',
  )
}

/** Where the new token shall be used. For other clients than the subject token's, the host's policy decides. */
function audienceOf(
  { data: { clientId, audience: had } }: Brought,
  client: AuthenticatedClient,
  parameters: Parameters,
  settings: Settings,
): readonly string[] {
  // RFC 8693 §2.1: either names it. Resources have no other names here.
  const targets = [...parameters.all('resource'), ...parameters.all('audience')]
  const audience = requestedAudience(targets, had, settings)
  // Whoever it brings to act: its user has seen where this client goes, and a policy that joins services is not about that.
  return client.id === clientId ? narrowedResources(audience, had, settings) : audience
}

/** Never more than the subject token has, of which the host has taken nothing from either client since; and nothing that is told about the user. */
function ceilingOf(
  { client: from, data: { scopes: had } }: Brought,
  client: AuthenticatedClient,
  settings: Settings,
): Ceiling {
  const [before, now] = [scopesOf(from, settings), scopesOf(client, settings)]
  const scopes = had.filter(
    (scope) => !isIdentityScope(scope) && before.includes(scope) && now.includes(scope),
  )
  return { scopes, usual: scopes }
}

/** RFC 8693 §2.2.1: what the answer says that the new token is. */
function issuedTokenType(
  requested: string | undefined,
  audience: readonly string[],
  settings: Settings,
): string {
  const format = accessTokenFormat(audience, settings)
  if (requested === undefined || requested === ACCESS_TOKEN) return ACCESS_TOKEN
  if (requested === JWT && format === 'jwt') return JWT
  throw refused(
    `requested_token_type must be ${ACCESS_TOKEN}, or ${JWT} for a resource that takes JWTs.`,
    'requested_token_type',
  )
}

/** RFC 8693 §4.1: who acts now, and within, who acted before. A client that exchanges its own token acts no otherwise than before. */
function actsFor(
  { data: { clientId, actor: before } }: Brought,
  actor: Brought | undefined,
  client: AuthenticatedClient,
  settings: Settings,
): Actor | undefined {
  if (actor === undefined && client.id === clientId) return before
  const userId = actor?.data.userId
  const current =
    userId === undefined
      ? { sub: client.id }
      : { sub: subjectOf(settings, client, userId), client_id: client.id }
  if (depthOf(before) < MOST_ACTORS) return { ...current, ...optional('act', before) }
  throw refused(
    `The subject_token has been exchanged ${MOST_ACTORS} times already. Bring one that was exchanged less often.`,
    'too_many_actors',
  )
}

function depthOf(actor: Actor | undefined): number {
  return actor === undefined ? 0 : 1 + depthOf(actor.act)
}
