/** A successful answer of the token endpoint (RFC 6749 §5.1). `scope` is always there, since clients rely on it. */
export interface TokenAnswer {
  readonly access_token: string
  readonly token_type: 'Bearer'
  readonly expires_in: number
  readonly refresh_token?: string
  readonly scope: string
}
