import { allowedClaims } from '../authorization/claims-request.js'
import { scopesOf } from '../authorization/scope.js'
import { challenge, statusAtResource } from '../bearer/challenge.js'
import { insufficientScope, invalidToken, liveToken, withoutUser } from '../bearer/check.js'
import { checkHolder } from '../bearer/holder.js'
import { type PresentedToken, presentedToken } from '../bearer/presented.js'
import { findClient } from '../clients/find.js'
import { OAuthError } from '../errors.js'
import type { MachineReply } from '../http/reply.js'
import type { MachineRequest } from '../http/request.js'
import type { Possession } from '../possession/possession.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { type Claims, claimsOf } from '../tokens/claims.js'
import { subjectOf } from '../tokens/subject.js'
import { noteUse } from '../tokens/use.js'

/** Tells the holder of an access token about its user (OpenID Connect Core §5.3). */
export async function userinfo(
  runtime: Runtime,
  possession: Possession,
  request: MachineRequest,
): Promise<MachineReply> {
  const { settings } = runtime
  const { authorization, sender } = request
  const url = `${settings.issuer}/userinfo`
  try {
    const presented = tokenOf(request)
    const token = await liveToken(runtime, presented.token, url)
    const headers = await checkHolder(possession, presented, token.data.confirmation, { sender, url })
    const { userId } = token.data
    if (userId === undefined) throw withoutUser()
    const client = await findClient(runtime, token.data.clientId)
    if (client === undefined) throw invalidToken('client_unknown')
    // What the host has since taken from the client is not told any more.
    const allowed = scopesOf(client, runtime.settings)
    const scopes = token.data.scopes.filter((scope) => allowed.includes(scope))
    if (!scopes.includes('openid')) throw insufficientScope(['openid'])
    const named = allowedClaims(token.data.claims ?? [], allowed)
    const claims = await aboutUser(runtime, client, userId, { scopes, named })
    noteUse(runtime, token.record, '/userinfo')
    return { ...(await inFormat(runtime, client, claims)), headers }
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    runtime.emit('access_token.refused', { error: error.code, reason: error.reason })
    const scope = error.code === 'insufficient_scope' && { scope: 'openid' }
    return {
      status: statusAtResource(error),
      body: error.toJSON(),
      headers: {
        ...error.headers,
        'WWW-Authenticate': challenge(error, authorization, settings, { realm: settings.issuer, ...scope }),
      },
    }
  }
}

/** The token, from the header or, where a form was posted, from that (RFC 6750 §2.1, §2.2). */
function tokenOf(request: MachineRequest): PresentedToken {
  const { authorization, parameters } = request
  parameters.refuseRepeated(['access_token'])
  const posted = parameters.get('access_token')
  if (posted !== undefined && authorization === undefined) return { scheme: 'Bearer', token: posted }
  return presentedToken({ authorization, ambiguous: request.repeatsAuthorization() || posted !== undefined })
}

async function aboutUser(
  runtime: Runtime,
  client: Client,
  userId: string,
  { scopes, named }: { readonly scopes: readonly string[]; readonly named: readonly string[] },
): Promise<Claims> {
  const user = await runtime.settings.findUser(userId)
  if (user === undefined) throw invalidToken('user_gone')
  const claims = await claimsOf(runtime, user, scopes, named)
  return { sub: subjectOf(runtime.settings, client, userId), ...claims }
}

/** JSON, or a JWT for a client that registered for one (OpenID Connect Core §5.3.2). */
async function inFormat(
  { settings, keys }: Runtime,
  { id, userinfoSignedResponseAlg }: Client,
  claims: Claims,
): Promise<MachineReply> {
  const alg = settings.profile.signingAlgs.find((known) => known === userinfoSignedResponseAlg)
  if (alg === undefined) return { status: 200, body: claims }
  const text = await keys.sign({ ...claims, iss: settings.issuer, aud: id }, { alg, typ: 'JWT' })
  return { status: 200, type: 'application/jwt', text }
}
