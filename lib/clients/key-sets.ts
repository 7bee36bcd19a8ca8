import type { Awaitable } from '../awaitable.js'
import { OAuthError } from '../errors.js'
import { type Outgoing, OutgoingError } from '../outgoing/outgoing.js'
import type { Client } from '../store/records.js'
import { isVouchedFor } from '../vouched.js'

/** Seconds after which to try again where keys could not be had. */
const RETRY_AFTER = 10

/** Whoever signs: their public keys (RFC 7517 §5), or where they publish them. */
export interface KeyOwner extends Pick<Client, 'source' | 'verified'> {
  readonly jwks?: unknown
  readonly jwksUri?: string
}

/**
 * Looks in the keys of an owner; `search` answers what is wrong with a set, or undefined where it has found there what it wants. Who has
 * neither `jwks` nor `jwksUri` has no set, which is undefined.
 *
 * @throws OAuthError `temporarily_unavailable` where the `jwksUri` gives no usable answer; its cause is the OutgoingError.
 */
export async function searchKeySets<Problem>(
  outgoing: Outgoing,
  owner: KeyOwner,
  search: (set: unknown) => Awaitable<Problem | undefined>,
): Promise<Problem | undefined> {
  const { jwks, jwksUri } = owner
  if (jwks !== undefined || jwksUri === undefined) return search(jwks)
  try {
    return await searchPublished(outgoing, jwksUri, !isVouchedFor(owner), search)
  } catch (error) {
    if (!(error instanceof OutgoingError)) throw error
    // Any other refusal would be taken for final, and this may pass.
    throw new OAuthError(
      'temporarily_unavailable',
      'The jwks_uri gave no usable answer, so nothing can be verified with its keys now. Try again later.',
      { reason: 'jwks_unavailable', headers: { 'Retry-After': String(RETRY_AFTER) }, cause: error },
    )
  }
}

/** Keys are changed by publishing others (OpenID Connect Core §10.1.1), so a copy that does not fit is asked for again, once. */
async function searchPublished<Problem>(
  outgoing: Outgoing,
  uri: string,
  stranger: boolean,
  search: (set: unknown) => Awaitable<Problem | undefined>,
): Promise<Problem | undefined> {
  const { body, cached } = await outgoing.fetchJson(uri, { stranger })
  const problem = await search(body)
  if (problem === undefined || !cached) return problem
  const newer = await outgoing.fetchJson(uri, { fresh: true, stranger })
  return newer.body === body ? problem : search(newer.body)
}
