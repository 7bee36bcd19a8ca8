import { type AuthorizationDetailsType, knownDetailsTypes } from './authorization-details.js'
import { ConfigurationError } from './errors.js'
import { aLifetime } from './lifetimes.js'
import type { OAuthProviderOptions } from './options.js'
import { knownScopes, type Scope } from './scopes.js'
import { anObject, describe, refuseUnknown } from './validation.js'

/** A protected resource of the option `resources`. */
export interface Resource {
  /** The scopes that mean something there; undefined for all. */
  readonly scopes: readonly string[] | undefined
  /** The types of details that mean something there; undefined for all. */
  readonly authorizationDetailsTypes: readonly string[] | undefined
  readonly accessTokenFormat: 'opaque' | 'jwt'
  /** Seconds. */
  readonly accessTokenLifetime: number | undefined
}

export function resolveResources(
  given: NonNullable<OAuthProviderOptions['resources']>,
  scopes: ReadonlyMap<string, Scope>,
  types: ReadonlyMap<string, AuthorizationDetailsType>,
): ReadonlyMap<string, Resource> {
  const resources = new Map<string, Resource>()
  for (const [resource, value] of Object.entries(anObject('resources', given))) {
    const option = `resources['${resource}']`
    if (!/^https?:\/\/[^?#]+$/.test(resource) || !URL.canParse(resource)) {
      throw new ConfigurationError(
        option,
        'is not the URL of an API',
        "Write it with scheme and host, without query and fragment: 'https://photos.example/api'.",
      )
    }
    refuseUnknown(`${option}.`, anObject(option, value), [
      'scopes',
      'authorizationDetailsTypes',
      'accessTokenFormat',
      'accessTokenLifetime',
    ])
    const { accessTokenFormat = 'opaque', authorizationDetailsTypes } = value
    if (accessTokenFormat !== 'opaque' && accessTokenFormat !== 'jwt') {
      throw new ConfigurationError(
        `${option}.accessTokenFormat`,
        `is ${describe(accessTokenFormat)}`,
        "Pass 'opaque' or 'jwt'.",
      )
    }
    resources.set(resource, {
      scopes: value.scopes === undefined ? undefined : knownScopes(`${option}.scopes`, value.scopes, scopes),
      authorizationDetailsTypes:
        authorizationDetailsTypes === undefined
          ? undefined
          : knownDetailsTypes(`${option}.authorizationDetailsTypes`, authorizationDetailsTypes, types),
      accessTokenFormat,
      accessTokenLifetime:
        value.accessTokenLifetime === undefined
          ? undefined
          : aLifetime(`${option}.accessTokenLifetime`, value.accessTokenLifetime),
    })
  }
  return resources
}
