import { expiryOf, type Handle } from './handle.js'

/** A successful answer of the token endpoint (RFC 6749 §5.1). `scope` is always there, since clients rely on it. */
export interface TokenAnswer {
  readonly access_token: string
  readonly token_type: 'Bearer'
  /** Seconds. */
  readonly expires_in: number
  readonly refresh_token?: string
  readonly id_token?: string
  readonly scope: string
}

export function tokenAnswer(
  issued: {
    readonly access: Handle
    readonly refresh?: Handle | undefined
    readonly idToken?: string | undefined
    readonly scopes: readonly string[]
  },
  now: number,
): TokenAnswer {
  const { access, refresh, idToken, scopes } = issued
  return {
    access_token: access.value,
    token_type: 'Bearer',
    expires_in: Math.max(0, Math.ceil((expiryOf(access.id) - now) / 1000)),
    ...(refresh && { refresh_token: refresh.value }),
    ...(idToken !== undefined && { id_token: idToken }),
    scope: scopes.join(' '),
  }
}
