import { detailsAt } from '../authorization/details.js'
import { covers, guardedAs, scopesAt } from '../authorization/resource.js'
import { invalidClient } from '../client-auth/refusal.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { findHolder } from '../clients/find.js'
import { weightOf } from '../http/accept.js'
import type { MachineReply } from '../http/reply.js'
import type { MachineRequest } from '../http/request.js'
import { optional } from '../optional.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { type AccessTokenData, accessTokenData } from '../tokens/access-token.js'
import { findToken } from '../tokens/find.js'
import { flawOf } from '../tokens/flaw.js'
import { refreshTokenData } from '../tokens/refresh-token.js'
import { accessTokenClaims, type TokenClaims, tokenClaims } from '../tokens/token-claims.js'
import { noteUse } from '../tokens/use.js'
import { tokenParameter } from './token-parameter.js'

/** RFC 9701 §4 */
const JWT_ANSWER = 'application/token-introspection+jwt'

/** Tells the client that a token was issued to, or a resource server that it is for, what it is worth (RFC 7662 §2). */
export async function introspect(
  runtime: Runtime,
  client: AuthenticatedClient,
  { parameters, accept }: MachineRequest,
): Promise<MachineReply> {
  // RFC 7662 §2.1: otherwise whoever finds a token could learn what it is good for.
  if (!client.confidential)
    throw invalidClient(
      'A public client cannot look at tokens. Ask as a client that proves itself by a secret, a key or a certificate.',
      'client_public',
    )
  const claims = await aboutToken(runtime, client, tokenParameter(parameters))
  // RFC 7662 §2.2: why not is not told, nor anything else.
  const answer = claims === undefined ? { active: false } : { active: true, ...claims }
  return inFormat(runtime, client, answer, accept)
}

/** What this client may know of a token; undefined for one that is good no more, and for one that is none of its business. */
async function aboutToken(
  runtime: Runtime,
  client: AuthenticatedClient,
  token: string,
): Promise<TokenClaims | undefined> {
  const { store, settings, now } = runtime
  const record = await findToken(store, token)
  if (record === undefined) return undefined
  if (record.kind === 'refresh') {
    const data = refreshTokenData(record)
    if (flawOf(record, data, settings, now()) !== undefined) return undefined
    if (data.clientId !== client.id || !(await isStillThere(runtime, data.userId))) return undefined
    // No token_type: nothing that takes access tokens may take this one.
    return tokenClaims(settings, client, record.id, data)
  }
  const data = accessTokenData(record)
  if (flawOf(record, data, settings, now()) !== undefined) return undefined
  const isOwn = data.clientId === client.id
  const part = isOwn ? data : partServedBy(client, data, settings)
  if (part === undefined) return undefined
  const owner = await findHolder(runtime, data)
  if (owner === undefined || !(await isStillThere(runtime, data.userId))) return undefined
  if (!isOwn) noteUse(runtime, record, '/introspect')
  const token_type = data.confirmation?.jkt === undefined ? 'Bearer' : 'DPoP'
  return { token_type, ...accessTokenClaims(settings, owner, record.id, part) }
}

/** An access token with what of it means something at the resources that this client serves (RFC 9396 §9.2); undefined where it is for none of these. */
function partServedBy(
  { resources = [] }: Client,
  { authorizationDetails, ...data }: AccessTokenData,
  settings: Settings,
): AccessTokenData | undefined {
  const places = data.audience.flatMap((resource) =>
    resources.flatMap((served) => {
      if (covers([resource], served)) return [served]
      return covers([served], resource) ? [resource] : []
    }),
  )
  if (places.length === 0) return undefined
  const guarded = places.map((place) => guardedAs(place, settings))
  return {
    ...data,
    scopes: scopesAt(data.scopes, guarded, settings),
    ...optional('authorizationDetails', detailsAt(authorizationDetails, guarded, settings)),
  }
}

/** Whether there is no user, or the host still knows them. */
async function isStillThere({ settings }: Runtime, userId: string | undefined): Promise<boolean> {
  return userId === undefined || (await settings.findUser(userId)) !== undefined
}

/** JSON, or a JWT for a client that registered for one or asks for one (RFC 9701 §4, §5). */
async function inFormat(
  { settings, keys, now }: Runtime,
  { id, introspectionSignedResponseAlg }: AuthenticatedClient,
  answer: TokenClaims,
  accept: string | undefined,
): Promise<MachineReply> {
  const wanted = weightOf(JWT_ANSWER, accept)
  const asksForJwt = wanted > 0 && wanted >= weightOf('application/json', accept)
  if (introspectionSignedResponseAlg === undefined && !asksForJwt) return { status: 200, body: answer }
  const { signingAlgs } = settings.profile
  const alg = signingAlgs.find((known) => known === introspectionSignedResponseAlg) ?? signingAlgs[0]
  // Neither sub nor exp stands outside, so that nobody takes it for an access token.
  const claims = {
    iss: settings.issuer,
    aud: id,
    iat: Math.floor(now() / 1000),
    token_introspection: answer,
  }
  const text = await keys.sign(claims, { alg, typ: 'token-introspection+jwt' })
  return { status: 200, type: JWT_ANSWER, text }
}
