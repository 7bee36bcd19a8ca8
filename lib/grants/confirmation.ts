import { OAuthError } from '../errors.js'
import type { Confirmation } from '../sender.js'
import type { Client } from '../store/records.js'
import { invalidGrant } from './refusal.js'

/** Whether a request proves to hold every key that a code or a refresh token is bound to (RFC 9449 §5, RFC 8705 §4). */
export function checkConfirmation(
  bound: { readonly [Kind in keyof Confirmation]?: Confirmation[Kind] | undefined } | undefined,
  presented: Confirmation | undefined,
): void {
  if (bound?.jkt !== undefined && bound.jkt !== presented?.jkt) {
    throw presented?.jkt === undefined
      ? new OAuthError('invalid_dpop_proof', 'This is bound to a key: send a DPoP proof made with it.', {
          reason: 'dpop_proof_missing',
        })
      : invalidGrant(
          'The DPoP proof was made with another key than this is bound to. Make it with that key.',
          'dpop_key_mismatch',
        )
  }
  const thumbprint = bound?.['x5t#S256']
  if (thumbprint !== undefined && thumbprint !== presented?.['x5t#S256'])
    throw invalidGrant(
      'The TLS client certificate is not the one that this is bound to. Connect with that one.',
      'certificate_mismatch',
    )
}

/** What a refresh token is bound to, that is given with tokens which are bound to this: that of a confidential client to nothing, for the client proves itself (RFC 9449 §5). */
export function refreshConfirmation(
  { confidential }: Client,
  confirmation: Confirmation | undefined,
): Confirmation | undefined {
  return confidential ? undefined : confirmation
}

/** Whether tokens that are bound to the one can be answered to who presents the other. */
export function sameConfirmation(one: Confirmation = {}, other: Confirmation = {}): boolean {
  return one.jkt === other.jkt && one['x5t#S256'] === other['x5t#S256']
}
