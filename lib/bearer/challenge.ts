import type { OAuthError } from '../errors.js'
import { keyAlgs } from '../keys/client-jwt.js'
import { onlyWithProof } from '../sender-constraints.js'
import type { Settings } from '../settings.js'
import { schemeOf } from './presented.js'

/** The reason of refusing a token without proof that is bound to a key. */
export const BOUND_TO_KEY = 'token_bound_to_key'

/** The status of a refusal at a resource: there a wrong proof counts as a wrong token does (RFC 9449 §7.1, §9). */
export function statusAtResource({ code, status }: OAuthError): number {
  return code === 'invalid_dpop_proof' || code === 'use_dpop_nonce' ? 401 : status
}

/**
 * The WWW-Authenticate header of a refusal (RFC 6750 §3): one challenge, since many clients read no second one. It is for DPoP where the
 * request was, or should have been (RFC 9449 §7.1), and where no other token can be had. Where no token came, it names no error.
 */
export function challenge(
  refusal: OAuthError,
  authorization: string | undefined,
  settings: Pick<Settings, 'features' | 'profile' | 'mtls'>,
  attributes: Readonly<Record<string, string>>,
): string {
  const proves = schemeOf(authorization) === 'DPoP' || refusal.reason === BOUND_TO_KEY
  const scheme = (settings.features.dpop && proves) || onlyWithProof(settings) ? 'DPoP' : 'Bearer'
  const all = Object.entries({
    ...(refusal.reason !== 'token_missing' && { error: refusal.code, error_description: refusal.message }),
    ...attributes,
    ...(scheme === 'DPoP' && { algs: keyAlgs(settings.profile).join(' ') }),
  })
  return `${scheme} ${all.map(([name, value]) => `${name}="${value}"`).join(', ')}`
}
