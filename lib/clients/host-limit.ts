import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import type { Client } from '../store/records.js'
import { invalid } from './fields.js'

type HostLimit = Client['hostLimit']

/** Of the scopes that are said, those that the host leaves; where it leaves none of them, or none are said, all that it leaves. */
export function scopesWithin(
  limit: HostLimit,
  said: readonly string[] | undefined,
): readonly string[] | undefined {
  const most = limit?.scopes
  if (most === undefined) return said
  const left = said?.filter((scope) => most.includes(scope)) ?? []
  return left.length > 0 ? left : most
}

/** The same of grant types. Where none is left, the client could do nothing with those that it means. */
export function grantTypesWithin(limit: HostLimit, said: readonly string[]): readonly string[] {
  const most = limit?.grantTypes
  if (most === undefined) return said
  const left = said.filter((grantType) => most.includes(grantType))
  if (left.length > 0) return left
  throw invalid(
    'grant_types',
    'has none that this client may have here',
    `It may have these: ${most.join(', ')}.`,
  )
}

/** The limit of a client that the host has changed: what the host says of scopes and grant types holds from then on. What it makes undefined is free again. */
export function limitAfter(stored: Client, changed: Client, changes: ClientMetadata): HostLimit {
  if (changed.source === undefined) return undefined
  const said = (name: 'scope' | 'grant_types') => name in changes
  const scopes = said('scope') ? changed.scopes : stored.hostLimit?.scopes
  const chosen = changes.grant_types && changed.grantTypes
  const grantTypes = said('grant_types') ? chosen : stored.hostLimit?.grantTypes
  if (scopes === undefined && grantTypes === undefined) return undefined
  return { ...optional('scopes', scopes), ...optional('grantTypes', grantTypes) }
}
