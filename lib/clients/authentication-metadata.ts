import { fitsAlg, KEY_ALGS, MAC_ALGS } from '../keys/client-jwt.js'
import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import type { Settings } from '../settings.js'
import type { Client, ClientSecret } from '../store/records.js'
import { AUTH_METHODS, type AuthMethodName, isByCertificate, isByKey, isBySecret } from './auth-methods.js'
import { certificateProblem } from './certificate-metadata.js'
import { boolean, invalid, oneOf, remoteUrl } from './fields.js'
import { readJwks, saysVerifying } from './jwks.js'
import { isKept } from './secret.js'

const METHOD = 'token_endpoint_auth_method'
const SIGNING_ALG = 'token_endpoint_auth_signing_alg'

type AuthenticationFields = Pick<
  Client,
  | 'confidential'
  | 'tokenEndpointAuthMethod'
  | 'tokenEndpointAuthSigningAlg'
  | 'acceptEndpointAudience'
  | 'jwks'
  | 'jwksUri'
>

/** How a client proves itself (RFC 7591 §2, OpenID Connect Dynamic Client Registration §2). */
export function authenticationFields(
  metadata: ClientMetadata,
  secret: ClientSecret | undefined,
  settings: Pick<Settings, 'allowPrivateAddresses' | 'mtls'>,
): AuthenticationFields {
  const method = authMethod(metadata, settings)
  const jwks = readJwks(metadata.jwks)
  const jwksUri = remoteUrl('jwks_uri', metadata.jwks_uri, settings)
  if (jwks !== undefined && jwksUri !== undefined)
    throw invalid('jwks', 'stands beside jwks_uri', 'Leave one of the two out.')
  // Whoever gives keys means to prove itself by them, and must not become a public client for a line that is missing.
  if (method === undefined && secret === undefined && (jwks ?? jwksUri) !== undefined)
    throw invalid(
      METHOD,
      `is missing beside ${jwks === undefined ? 'jwks_uri' : 'jwks'}`,
      `Write ${METHOD}: 'private_key_jwt', or 'none' for a public client.`,
    )
  checkSecret(method, secret)
  const alg = signingAlg(metadata, method)
  if (method !== undefined && jwksUri === undefined) {
    if (method === 'private_key_jwt') checkKeys(requireJwks(jwks, method), alg)
    if (method === 'self_signed_tls_client_auth') checkCertificates(requireJwks(jwks, method))
  }
  return {
    confidential: secret !== undefined || isByKey(method),
    ...optional('tokenEndpointAuthMethod', method),
    ...optional('tokenEndpointAuthSigningAlg', alg),
    ...optional(
      'acceptEndpointAudience',
      boolean('accept_endpoint_audience', metadata.accept_endpoint_audience),
    ),
    ...optional('jwks', jwks),
    ...optional('jwksUri', jwksUri),
  }
}

/** The same under the names of RFC 7591. */
export function authenticationMetadata(client: Client): ClientMetadata {
  return {
    ...optional(METHOD, client.confidential ? client.tokenEndpointAuthMethod : 'none'),
    ...optional(SIGNING_ALG, client.tokenEndpointAuthSigningAlg),
    ...optional('accept_endpoint_audience', client.acceptEndpointAudience),
    ...optional('jwks', client.jwks),
    ...optional('jwks_uri', client.jwksUri),
  }
}

function authMethod(
  { [METHOD]: given }: ClientMetadata,
  { mtls }: Pick<Settings, 'mtls'>,
): AuthMethodName | undefined {
  const method = oneOf(METHOD, given, AUTH_METHODS)
  if (mtls !== undefined || !isByCertificate(method)) return method
  throw invalid(METHOD, `is ${method}`, 'Set the option mtls, or no client certificate is looked at.')
}

function checkSecret(method: AuthMethodName | undefined, secret: ClientSecret | undefined): void {
  if (method === undefined) return
  if (isBySecret(method) && secret === undefined)
    throw invalid(METHOD, `is ${method} without a client_secret`, 'Give a client_secret.')
  if (!isBySecret(method) && secret !== undefined)
    throw invalid(METHOD, `is ${method} beside a client_secret`, 'Leave one of the two out.')
  // What is left of a hashed secret cannot check a MAC.
  if (method === 'client_secret_jwt' && secret !== undefined && !isKept(secret))
    throw invalid(
      METHOD,
      'cannot become client_secret_jwt, since only a hash of the secret is kept',
      'Create the client anew with client_secret_jwt.',
    )
}

function signingAlg(
  { [SIGNING_ALG]: given }: ClientMetadata,
  method: AuthMethodName | undefined,
): string | undefined {
  if (method === 'client_secret_jwt') return oneOf(SIGNING_ALG, given, [...MAC_ALGS.keys()])
  if (method === 'private_key_jwt') return oneOf(SIGNING_ALG, given, KEY_ALGS)
  return oneOf(SIGNING_ALG, given, [...KEY_ALGS, ...MAC_ALGS.keys()])
}

function requireJwks(jwks: Client['jwks'], method: AuthMethodName): NonNullable<Client['jwks']> {
  if (jwks !== undefined) return jwks
  throw invalid(
    'jwks',
    `is missing beside ${method}`,
    'Give the public keys of the client as jwks, or where it publishes them as jwks_uri.',
  )
}

function checkKeys(jwks: NonNullable<Client['jwks']>, alg: string | undefined): void {
  const algs = alg === undefined ? KEY_ALGS : [alg]
  if (jwks.keys.some((key) => saysVerifying(key) && algs.some((wanted) => fitsAlg(key, wanted)))) return
  throw invalid('jwks', `has no key for ${alg ?? 'signatures'}`, `Add one, or change ${SIGNING_ALG}.`)
}

/** Keys for other purposes may stand beside the one of the certificate. */
function checkCertificates({ keys }: NonNullable<Client['jwks']>): void {
  for (const [index, key] of keys.entries()) {
    const problem = certificateProblem(key)
    if (problem !== undefined) throw invalid('jwks', `has at keys[${index}] ${problem[0]}`, problem[1])
  }
  if (keys.some(saysVerifying)) return
  throw invalid('jwks', 'has no key for signatures', 'Add the one of the certificate.')
}
