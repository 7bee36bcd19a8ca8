import { OAuthError } from '../errors.js'
import { KEY_ALGS, namesOfAlg } from '../keys/client-jwt.js'
import { type Outgoing, OutgoingError } from '../outgoing/outgoing.js'
import type { Client } from '../store/records.js'
import { algorithmRefusal, claimsMac, readAssertion } from './assertion.js'
import type { AuthMethod } from './credentials.js'
import { KeySearch } from './key-search.js'

/** Signatures that one assertion without `kid` may cost. */
const MOST_SIGNATURES = 20
/** Seconds after which a client may try again whose keys could not be had. */
const RETRY_AFTER = 10

/** OpenID Connect Core §9: a JWT that is signed with the client's private key (RFC 7523 §2.2). */
export const privateKeyJwt: AuthMethod = {
  isPresented({ assertion }) {
    return assertion !== undefined && !claimsMac(assertion)
  },
  read(presented) {
    return readAssertion(presented, async (jwt, client, { runtime, guard, keys, address }) => {
      const algs = algsOf(client)
      if (!algs.includes(jwt.alg)) throw algorithmRefusal(algs)
      const search = new KeySearch(jwt, keys, guard.hasFailedOften(client, address) ? 1 : MOST_SIGNATURES)
      const refusal = await searchKeys(search, client, runtime.outgoing)
      if (refusal === undefined) return
      // Where no signature was tried, the attempt has cost nothing.
      if (search.hasTried) guard.countFailure(client, address)
      throw refusal
    })
  },
}

function algsOf({ tokenEndpointAuthSigningAlg: registered }: Client): readonly string[] {
  return registered === undefined ? KEY_ALGS : namesOfAlg(registered)
}

async function searchKeys(
  search: KeySearch,
  { jwks, jwksUri = '' }: Client,
  outgoing: Outgoing,
): Promise<OAuthError | undefined> {
  if (jwks !== undefined) return search.in(jwks)
  try {
    return await searchJwksUri(search, jwksUri, outgoing)
  } catch (error) {
    if (!(error instanceof OutgoingError)) throw error
    // Clients take invalid_client for final, and this may pass.
    return new OAuthError(
      'temporarily_unavailable',
      'The jwks_uri of this client gave no usable answer, so its client_assertion cannot be verified now. Try again later.',
      { reason: 'jwks_unavailable', headers: { 'Retry-After': String(RETRY_AFTER) }, cause: error },
    )
  }
}

/** A client changes its keys by publishing others (OpenID Connect Core §10.1.1), so a copy that does not fit is asked for again, once. */
async function searchJwksUri(
  search: KeySearch,
  uri: string,
  outgoing: Outgoing,
): Promise<OAuthError | undefined> {
  const { body, cached } = await outgoing.fetchJson(uri)
  const refusal = await search.in(body)
  if (refusal === undefined || !cached) return refusal
  const newer = await outgoing.fetchJson(uri, { fresh: true })
  return newer.body === body ? refusal : search.in(newer.body)
}
