/** How clients prove themselves (RFC 7591 §2, OpenID Connect Core §9). `none` comes first, since some clients take the first one in the metadata that they know. */
export const AUTH_METHODS = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
] as const

export type AuthMethodName = (typeof AUTH_METHODS)[number]
