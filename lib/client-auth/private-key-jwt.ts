import { usableKeys } from '../clients/jwks.js'
import { type ClientJwt, KEY_ALGS, verifyClientJwt } from '../keys/client-jwt.js'
import type { JsonWebKey } from '../options.js'
import { type Outgoing, OutgoingError } from '../outgoing/outgoing.js'
import type { Client } from '../store/records.js'
import { claimsMac, presentsAssertion, readAssertion, signatureRefusal } from './assertion.js'
import type { AuthMethod } from './credentials.js'
import { invalidClient } from './refusal.js'

/** OpenID Connect Core §9: a JWT that is signed with the client's private key (RFC 7523 §2.2). */
export const privateKeyJwt: AuthMethod = {
  name: 'private_key_jwt',
  isPresented(presented) {
    return presentsAssertion(presented) && !claimsMac(presented)
  },
  read(presented) {
    return readAssertion(presented, async (jwt, client, { runtime }) => {
      const algs = algsOf(client)
      const refusal = client.jwks
        ? await verifyClientJwt(jwt, { keys: client.jwks.keys, algs })
        : await verifyByJwksUri(jwt, { uri: client.jwksUri ?? '', algs }, runtime.outgoing)
      if (refusal !== undefined) throw signatureRefusal(refusal, algs)
    })
  },
}

/** RFC 9864 gave `EdDSA` with Ed25519 keys a name of its own; libraries use either. */
function algsOf({ tokenEndpointAuthSigningAlg: registered }: Client): readonly string[] {
  if (registered === undefined) return KEY_ALGS
  const twins = ['EdDSA', 'Ed25519']
  return twins.includes(registered) ? twins : [registered]
}

/** A client changes its keys by publishing others (OpenID Connect Core §10.1.1), so a copy that does not fit is asked for again, once. */
async function verifyByJwksUri(
  jwt: ClientJwt,
  { uri, algs }: { readonly uri: string; readonly algs: readonly string[] },
  outgoing: Outgoing,
) {
  const { keys, cached } = await fetchKeys(uri, outgoing, false)
  const refusal = await verifyClientJwt(jwt, { keys, algs })
  if (!cached || (refusal !== 'key' && refusal !== 'signature')) return refusal
  const { keys: newer } = await fetchKeys(uri, outgoing, true)
  return verifyClientJwt(jwt, { keys: newer, algs })
}

async function fetchKeys(
  uri: string,
  outgoing: Outgoing,
  fresh: boolean,
): Promise<{ readonly keys: readonly JsonWebKey[]; readonly cached: boolean }> {
  try {
    const { body, cached } = await outgoing.fetchJson(uri, { fresh })
    return { keys: usableKeys(body), cached }
  } catch (error) {
    if (!(error instanceof OutgoingError)) throw error
    throw invalidClient(
      `The keys of this client cannot be fetched from its jwks_uri: ${error.message}`,
      'jwks_unavailable',
      error,
    )
  }
}
