/** What a client may be registered for as one of its `grant_types`. */
export interface GrantTypeRule {
  /** The value of `grant_type` at the token endpoint. */
  readonly name: string
  /** Whether only a client that proves itself may have it: nobody else is asked (RFC 6749 §4.4). */
  readonly onlyConfidential: boolean
}

/** All of them. What the host has not turned on is refused at the token endpoint, not at registration. */
export const GRANT_TYPES = {
  authorizationCode: { name: 'authorization_code', onlyConfidential: false },
  refreshToken: { name: 'refresh_token', onlyConfidential: false },
  clientCredentials: { name: 'client_credentials', onlyConfidential: true },
  deviceCode: { name: 'urn:ietf:params:oauth:grant-type:device_code', onlyConfidential: false },
  tokenExchange: { name: 'urn:ietf:params:oauth:grant-type:token-exchange', onlyConfidential: true },
  jwtBearer: { name: 'urn:ietf:params:oauth:grant-type:jwt-bearer', onlyConfidential: true },
} as const satisfies Readonly<Record<string, GrantTypeRule>>

/** Whether no user is asked for its tokens. */
export function goesUnasked(grantType: string): boolean {
  return Object.values(GRANT_TYPES).some(
    ({ name, onlyConfidential }) => onlyConfidential && name === grantType,
  )
}
