import { AUTH_METHODS, type AuthMethodName } from '../clients/auth-methods.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { ClientKeys } from '../clients/client-keys.js'
import { findClient, reportable } from '../clients/find.js'
import { OAuthError } from '../errors.js'
import { KEY_ALGS, MAC_ALGS } from '../keys/client-jwt.js'
import { optional } from '../optional.js'
import { OutgoingError } from '../outgoing/outgoing.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { presentedAssertion } from './assertion.js'
import { clientSecretBasic } from './client-secret-basic.js'
import { clientSecretJwt } from './client-secret-jwt.js'
import { clientSecretPost } from './client-secret-post.js'
import type { AuthMethod, AuthRequest, Presented } from './credentials.js'
import { Guard } from './guard.js'
import { none } from './none.js'
import { privateKeyJwt } from './private-key-jwt.js'
import { invalidClient } from './refusal.js'
import { useOnce } from './single-use.js'

const METHODS: Readonly<Record<AuthMethodName, AuthMethod>> = {
  none,
  client_secret_basic: clientSecretBasic,
  client_secret_post: clientSecretPost,
  client_secret_jwt: clientSecretJwt,
  private_key_jwt: privateKeyJwt,
}

/** The algorithms of client assertions as metadata names them. */
export const authSigningAlgs = [...KEY_ALGS, ...MAC_ALGS.keys()]

const PARAMETERS = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']
/** What a client with a secret that registered no method may use (OpenID Connect Core §9 names the first, many libraries know the second only). */
const BY_SECRET: readonly AuthMethodName[] = ['client_secret_basic', 'client_secret_post']

/** Authenticates clients at the machine endpoints (RFC 6749 §2.3): exactly one method must be presented, the right one, rightly. */
export class ClientAuthenticator {
  readonly #runtime: Runtime
  readonly #guard: Guard
  readonly #keys = new ClientKeys()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#guard = new Guard(runtime.now)
  }

  async authenticate(request: AuthRequest): Promise<AuthenticatedClient> {
    const { parameters, authorization, address, endpoint } = request
    parameters.refuseRepeated(PARAMETERS)
    const presented = { parameters, authorization, assertion: presentedAssertion(parameters) }
    const method = presentedMethod(presented)
    const credentials = METHODS[method].read(presented)
    try {
      const client = await findClient(this.#runtime, credentials.clientId)
      if (client === undefined) throw invalidClient('This client is not known here.', 'client_unknown')
      checkMethod(client, method)
      const verification = {
        runtime: this.#runtime,
        guard: this.#guard,
        keys: this.#keys,
        address,
        endpoint,
      }
      const proof = await credentials.verify(client, verification)
      if (proof !== undefined) await useOnce(this.#runtime.store, client.id, proof)
      return client as AuthenticatedClient
    } catch (error) {
      if (error instanceof OAuthError) {
        const { reason, cause } = error
        this.#runtime.emit('client.authentication_failed', {
          clientId: reportable(credentials.clientId),
          reason,
          address,
          ...optional('problem', cause instanceof OutgoingError ? cause.message : undefined),
        })
      }
      throw error
    }
  }
}

function presentedMethod(presented: Presented): AuthMethodName {
  const [method, another] = AUTH_METHODS.filter((name) => METHODS[name].isPresented(presented))
  if (another !== undefined) {
    throw new OAuthError('invalid_request', 'Use one way of client authentication, not two.', {
      reason: 'methods_conflict',
    })
  }
  if (method !== undefined) return method
  throw invalidClient(
    'No client authentication: send client_id and client_secret by HTTP Basic or in the body, or a client_assertion; a public client sends client_id.',
    'credentials_missing',
  )
}

function checkMethod(client: Client, method: AuthMethodName): void {
  if (!client.confidential) {
    if (method === 'none') return
    throw invalidClient(
      'This client is public: send client_id alone, without a proof.',
      'method_not_registered',
    )
  }
  const { tokenEndpointAuthMethod: registered } = client
  const allowed: readonly string[] = registered === undefined ? BY_SECRET : [registered]
  if (allowed.includes(method)) return
  if (method === 'none') {
    throw invalidClient(`This client has to prove itself by ${allowed.join(' or ')}.`, 'credentials_missing')
  }
  throw invalidClient(`This client is registered for ${allowed.join(' or ')}.`, 'method_not_registered')
}
