import { type KeyProblem, KeySearch } from '../clients/key-search.js'
import type { OAuthError } from '../errors.js'
import { keyAlgs, namesOfAlg } from '../keys/client-jwt.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { algorithmRefusal, claimsMac, readAssertion, signatureRefusal } from './assertion.js'
import type { AuthMethod } from './credentials.js'
import { invalidClient, tooManyKeys } from './refusal.js'

/** OpenID Connect Core §9: a JWT that is signed with the client's private key (RFC 7523 §2.2). */
export const privateKeyJwt: AuthMethod = {
  isPresented({ assertion }) {
    return assertion !== undefined && !claimsMac(assertion)
  },
  read(presented) {
    return readAssertion(presented, async (jwt, client, { runtime, guard, from }) => {
      const algs = algsOf(client, runtime)
      if (!algs.includes(jwt.alg)) throw algorithmRefusal(algs)
      const search = new KeySearch(runtime, jwt, guard.hasFailedOften(client, from) ? 1 : undefined)
      const problem = await search.amongKeysOf(client)
      if (problem === undefined) return
      // Its document may name other keys by now than those that are kept of it.
      const renewed = client.source === 'document' ? await runtime.documents?.renewed(client) : undefined
      if (renewed !== undefined && (await search.amongKeysOf(renewed)) === undefined) return
      // Where no signature was tried, the attempt has cost nothing.
      if (search.hasTried) guard.countFailure(client, from)
      throw REFUSALS[problem]()
    })
  },
}

const REFUSALS: Readonly<Record<KeyProblem, () => OAuthError>> = {
  too_many_keys: tooManyKeys,
  no_key: () =>
    invalidClient(
      'No key of this client has the kid and fits the alg that the header of the client_assertion names.',
      'assertion_key',
    ),
  signature: signatureRefusal,
}

function algsOf(
  { tokenEndpointAuthSigningAlg: registered }: Client,
  { settings }: Runtime,
): readonly string[] {
  return registered === undefined ? keyAlgs(settings.profile) : namesOfAlg(registered)
}
