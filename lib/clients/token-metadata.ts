import type { SigningAlg } from '../keys/signing-keys.js'
import { LONGEST_LIFETIME } from '../lifetimes.js'
import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { boolean, invalid, oneOf, strings, wholeSeconds } from './fields.js'

const DPOP_BOUND = 'dpop_bound_access_tokens'

type TokenFields = Pick<
  Client,
  | 'dpopBoundAccessTokens'
  | 'authorizationDetailsTypes'
  | 'introspectionSignedResponseAlg'
  | 'resources'
  | 'lifetimes'
>

/** Which details a client asks for (RFC 9396), what its tokens are bound to (RFC 9449) and how long they live, and which it may look at (RFC 7662). */
export function tokenFields(
  metadata: ClientMetadata,
  { confidential }: Pick<Client, 'confidential'>,
  { algs, features }: { readonly algs: readonly SigningAlg[] } & Pick<Settings, 'features'>,
): TokenFields {
  const lifetimes = lifetimesOf(metadata)
  return {
    ...optional('dpopBoundAccessTokens', dpopBound(metadata, features)),
    ...optional(
      'authorizationDetailsTypes',
      strings('authorization_details_types', metadata.authorization_details_types),
    ),
    ...optional(
      'introspectionSignedResponseAlg',
      oneOf('introspection_signed_response_alg', metadata.introspection_signed_response_alg, algs),
    ),
    ...optional('resources', resourceUrls(metadata, confidential)),
    ...(Object.keys(lifetimes).length > 0 && { lifetimes }),
  }
}

/** The same under the names of the specifications. */
export function tokenMetadata(client: Client): ClientMetadata {
  const { lifetimes = {} } = client
  return {
    ...optional(DPOP_BOUND, client.dpopBoundAccessTokens),
    ...optional('authorization_details_types', client.authorizationDetailsTypes),
    ...optional('introspection_signed_response_alg', client.introspectionSignedResponseAlg),
    ...optional('resources', client.resources),
    ...optional('access_token_lifetime', lifetimes.accessToken),
    ...optional('refresh_token_lifetime', lifetimes.refreshToken),
    ...optional('refresh_token_total_lifetime', lifetimes.refreshTokenTotal),
    ...optional('id_token_lifetime', lifetimes.idToken),
  }
}

function dpopBound(metadata: ClientMetadata, { dpop: isOffered }: Settings['features']): boolean | undefined {
  const bound = boolean(DPOP_BOUND, metadata[DPOP_BOUND])
  if (!bound || isOffered) return bound
  throw invalid(DPOP_BOUND, 'is true', 'Leave features.dpop on, or no proof is looked at.')
}

/** A name that is no URL would cover no token, and nobody would know why. */
function resourceUrls({ resources }: ClientMetadata, confidential: boolean): readonly string[] | undefined {
  const urls = strings('resources', resources)
  if (urls !== undefined && urls.length > 0 && !confidential)
    throw invalid(
      'resources',
      'stands at a public client, which cannot prove that it is the API',
      'Give it a secret or a key, or leave resources out.',
    )
  const strange = urls?.find((url) => !/^https?:\/\/[^?#]+$/.test(url) || !URL.canParse(url))
  if (strange === undefined) return urls
  throw invalid('resources', `has ${strange}`, "Write URLs of APIs: 'https://photos.example/api'.")
}

function lifetimesOf(metadata: ClientMetadata): NonNullable<Client['lifetimes']> {
  return {
    ...optional('accessToken', lifetime('access_token_lifetime', metadata.access_token_lifetime)),
    ...optional('refreshToken', lifetime('refresh_token_lifetime', metadata.refresh_token_lifetime)),
    ...optional(
      'refreshTokenTotal',
      lifetime('refresh_token_total_lifetime', metadata.refresh_token_total_lifetime),
    ),
    ...optional('idToken', lifetime('id_token_lifetime', metadata.id_token_lifetime)),
  }
}

function lifetime(field: string, value: unknown): number | undefined {
  const seconds = wholeSeconds(field, value)
  if (seconds === undefined || (seconds >= 1 && seconds <= LONGEST_LIFETIME)) return seconds
  throw invalid(field, `is ${seconds}`, `Give whole seconds from 1 to ${LONGEST_LIFETIME}, or leave it out.`)
}
