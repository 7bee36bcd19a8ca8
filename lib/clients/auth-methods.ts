import type { Settings } from '../settings.js'

/** How clients prove themselves (RFC 7591 §2, OpenID Connect Core §9, RFC 8705 §2). `none` comes first, since some clients take the first one in the metadata that they know. */
export const AUTH_METHODS = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
] as const

export type AuthMethodName = (typeof AUTH_METHODS)[number]

/** Those that need a certificate. */
const BY_CERTIFICATE: readonly AuthMethodName[] = ['tls_client_auth', 'self_signed_tls_client_auth']
/** Those that need a secret. */
const BY_SECRET: readonly AuthMethodName[] = [
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
]

/** Those that can be used with these settings. */
export function offeredAuthMethods({
  mtls,
  profile: { authMethods = AUTH_METHODS },
}: Pick<Settings, 'mtls' | 'profile'>): readonly AuthMethodName[] {
  const allowed = AUTH_METHODS.filter((name) => authMethods.includes(name))
  return allowed.filter((name) => mtls !== undefined || !isByCertificate(name))
}

/** Whether a client needs a certificate for this. */
export function isByCertificate(method: string | undefined): boolean {
  return BY_CERTIFICATE.some((name) => name === method)
}

/** Whether a client has a secret for this. Undefined, which leaves the method open, stands for one by secret. */
export function isBySecret(method: string | undefined): boolean {
  return method === undefined || BY_SECRET.some((name) => name === method)
}

/** Whether a client proves itself by this, and by no secret. */
export function isByKey(method: string | undefined): boolean {
  return method !== 'none' && !isBySecret(method)
}
