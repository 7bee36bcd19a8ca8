import { type Asked, clientProvesItself, includesClaim, includesScope } from '../authorization/decision.js'
import { destinationOf } from '../authorization/redirect-uri.js'
import { type PageReply, page } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { AuthorizationDetail } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Scope } from '../scopes.js'
import { describeClaim } from '../standard-claims.js'
import type { Client, Grant } from '../store/records.js'
import type { Text } from '../text.js'
import { consentPath, type PendingRequest } from './pending-request.js'
import { shownClient } from './shown-client.js'
import type { SignedInUser } from './user.js'

/** The page that asks the user. */
export function consentPage(
  runtime: Runtime,
  request: FormRequest,
  client: Client,
  pending: PendingRequest,
  { user, grant }: { readonly user: SignedInUser; readonly grant: Grant | undefined },
  { status = 200, notice }: { readonly status?: number; readonly notice?: Text } = {},
): PageReply {
  const { redirectUri } = pending.state.request
  const action = consentPath(runtime.settings, pending.id)
  const shown = shownClient(client, request.speech.tags)
  const locals = {
    client: shown,
    destination: { ...destinationOf(redirectUri), proven: clientProvesItself(client, redirectUri) },
    user: { id: user.id, name: user.name, email: user.email },
    switchUserUrl: runtime.settings.loginUrl(request.host, action, {}),
    ...shownAsked(runtime, request, pending.state.request, grant),
    action,
    csrfToken: request.csrfToken(),
    notice,
  }
  const title = { key: 'consent.title', values: { client: shown.name } }
  return page('consent', title, locals, status)
}

/** What is asked for, as pages get it: what the user has to decide about, and what they have allowed before. */
export function shownAsked(
  runtime: Runtime,
  { parameters, speech }: FormRequest,
  asked: Asked,
  grant: Grant | undefined,
) {
  const { resources, claimsBeyondScopes = [], authorizationDetails = [] } = asked
  const isKnown = (claim: string) => includesClaim(grant, claim, resources)
  const { known, fresh } = divide(runtime, asked, grant)
  const ticked = parameters.all('scope')
  const posted = parameters.get('decision') !== undefined
  return {
    authorizationDetails: authorizationDetails.map((detail) => ({
      type: detail.type,
      description: describeDetail(runtime, detail, speech),
    })),
    newScopes: fresh.map(({ name, description, required }) => {
      return { name, description, optional: !required, checked: !posted || ticked.includes(name) }
    }),
    resources: resources.filter((resource) => resource !== runtime.settings.origin),
    claims: claimsBeyondScopes.filter((claim) => !isKnown(claim)).map(shownClaim),
    grantedScopes: known.map(({ name, description }) => ({ name, description })),
    grantedClaims: claimsBeyondScopes.filter(isKnown).map(shownClaim),
  }
}

/** A type that the host has withdrawn since has no sentence any more, and is not granted either. */
function describeDetail(
  { settings }: Runtime,
  detail: AuthorizationDetail,
  { language }: FormRequest['speech'],
): Text | string {
  return settings.authorizationDetails.get(detail.type)?.describe(detail, { language }) ?? detail.type
}

function shownClaim(name: string) {
  return { name, description: describeClaim(name) }
}

/** The scopes that the user would allow for the first time. */
export function newScopes(runtime: Runtime, asked: Asked, grant: Grant | undefined): readonly string[] {
  return divide(runtime, asked, grant).fresh.map(({ name }) => name)
}

/** The scopes that the user allows by approving: all that are required, and those that were ticked. Undefined where they would allow nothing at all. */
export function chosenScopes(
  runtime: Runtime,
  asked: Asked,
  grant: Grant | undefined,
  ticked: readonly string[],
): readonly string[] | undefined {
  const { known, fresh } = divide(runtime, asked, grant)
  const chosen = fresh.filter(({ name, required }) => required || ticked.includes(name))
  const scopes = [...known, ...chosen].map(({ name }) => name)
  return scopes.length > 0 || asked.authorizationDetails !== undefined ? scopes : undefined
}

/** The scopes of a request: those that the user has allowed before, and those that are new. */
function divide(
  { settings }: Runtime,
  { scopes, resources }: Asked,
  grant: Grant | undefined,
): { known: Scope[]; fresh: Scope[] } {
  const all = scopes.map((name) => settings.scopes.get(name)).filter((scope) => scope !== undefined)
  const isKnown = ({ name }: Scope) => includesScope(grant, name, resources)
  return { known: all.filter(isKnown), fresh: all.filter((scope) => !isKnown(scope)) }
}
