import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { suggestion } from '../suggestion.js'
import { invalid } from './fields.js'

export function refuseMisspeltScopes(
  { scopes = [] }: Client,
  { scopes: offered }: Pick<Settings, 'scopes'>,
): void {
  refuseMisspelt('scope', 'scope', scopes, offered)
}

export function refuseMisspeltDetailsTypes(
  { authorizationDetailsTypes = [] }: Client,
  { authorizationDetails }: Pick<Settings, 'authorizationDetails'>,
): void {
  refuseMisspelt('authorization_details_types', 'type', authorizationDetailsTypes, authorizationDetails)
}

/** An API on a host of which no token can be for could look at none. */
export function refuseForeignResources(
  { resources: served = [] }: Client,
  { resources, origin }: Pick<Settings, 'resources' | 'origin'>,
): void {
  const origins = [origin, ...[...resources.keys()].map((resource) => new URL(resource).origin)]
  const foreign = served.find((url) => !origins.includes(new URL(url).origin))
  if (foreign === undefined) return
  throw invalid(
    'resources',
    `has ${foreign}, and no token can be for anything there`,
    'Add it to the option resources, or leave it out.',
  )
}

/** Names that nobody offers do no harm; one that is nearly another is a mistake that nobody would see. */
function refuseMisspelt(
  field: string,
  kind: string,
  names: readonly string[],
  offered: ReadonlyMap<string, unknown>,
): void {
  for (const name of names) {
    if (offered.has(name)) continue
    const meant = suggestion(name, [...offered.keys()])
    if (meant !== undefined)
      throw invalid(field, `names the unknown ${kind} '${name}'`, `Did you mean '${meant}'?`)
  }
}
