import { clientProvesItself, includesClaim, includesScope } from '../authorization/decision.js'
import { destinationOf } from '../authorization/redirect-uri.js'
import type { AuthorizationRequest } from '../authorization/request.js'
import { type PageReply, page } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import type { Scope } from '../scopes.js'
import { describeClaim } from '../standard-claims.js'
import type { Client, Grant } from '../store/records.js'
import { consentPath, type PendingRequest } from './pending-request.js'
import type { SignedInUser } from './user.js'

/** The page that asks the user. */
export function consentPage(
  runtime: Runtime,
  request: FormRequest,
  client: Client,
  pending: PendingRequest,
  { user, grant }: { readonly user: SignedInUser; readonly grant: Grant | undefined },
  { status = 200, notice }: { readonly status?: number; readonly notice?: string } = {},
): PageReply {
  const { redirectUri, resources, claimsBeyondScopes = [] } = pending.state.request
  const isKnown = (claim: string) => includesClaim(grant, claim, resources)
  const { known, fresh } = divide(runtime, pending.state.request, grant)
  const ticked = request.parameters.all('scope')
  const posted = request.parameters.get('decision') !== undefined
  const action = consentPath(runtime.settings, pending.id)
  const locals = {
    client: shownClient(client),
    destination: { ...destinationOf(redirectUri), proven: clientProvesItself(client, redirectUri) },
    user: { id: user.id, name: user.name, email: user.email },
    switchUserUrl: runtime.settings.loginUrl(request.host, action, {}),
    newScopes: fresh.map(({ name, description, required }) => {
      return { name, description, optional: !required, checked: !posted || ticked.includes(name) }
    }),
    resources: resources.filter((resource) => resource !== runtime.settings.origin),
    claims: claimsBeyondScopes.filter((claim) => !isKnown(claim)).map(shownClaim),
    grantedScopes: known.map(({ name, description }) => ({ name, description })),
    grantedClaims: claimsBeyondScopes.filter(isKnown).map(shownClaim),
    action,
    csrfToken: request.csrfToken(),
    notice,
  }
  return page('consent', `Connect ${client.name}`, locals, status)
}

function shownClaim(name: string) {
  return { name, description: describeClaim(name) }
}

function shownClient({ id, name, uri, logoUri, policyUri, tosUri }: Client) {
  return { id, name, uri, logoUri, policyUri, tosUri }
}

/** The scopes that the user allows by approving: all that are required, and those that were ticked. */
export function chosenScopes(
  runtime: Runtime,
  request: AuthorizationRequest,
  grant: Grant | undefined,
  ticked: readonly string[],
): readonly string[] {
  const { known, fresh } = divide(runtime, request, grant)
  const chosen = fresh.filter(({ name, required }) => required || ticked.includes(name))
  return [...known, ...chosen].map(({ name }) => name)
}

/** The scopes of a request: those that the user has allowed before, and those that are new. */
function divide(
  { settings }: Runtime,
  { scopes, resources }: AuthorizationRequest,
  grant: Grant | undefined,
): { known: Scope[]; fresh: Scope[] } {
  const all = scopes.map((name) => settings.scopes.get(name)).filter((scope) => scope !== undefined)
  const isKnown = ({ name }: Scope) => includesScope(grant, name, resources)
  return { known: all.filter(isKnown), fresh: all.filter((scope) => !isKnown(scope)) }
}
