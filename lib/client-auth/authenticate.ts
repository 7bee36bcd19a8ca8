import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { findClient, reportable } from '../clients/find.js'
import { OAuthError } from '../errors.js'
import { KEY_ALGS, MAC_ALGS } from '../keys/client-jwt.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { clientSecretBasic } from './client-secret-basic.js'
import { clientSecretJwt } from './client-secret-jwt.js'
import { clientSecretPost } from './client-secret-post.js'
import type { AuthMethod, Presented } from './credentials.js'
import { none } from './none.js'
import { privateKeyJwt } from './private-key-jwt.js'
import { invalidClient } from './refusal.js'
import { SecretGuard } from './secret-guard.js'
import { useOnce } from './single-use.js'

/** `none` comes first, since some clients take the first method of the metadata that they know. */
const METHODS = [none, clientSecretBasic, clientSecretPost, clientSecretJwt, privateKeyJwt]

/** The methods as metadata names them. */
export const authMethodNames = METHODS.map((method) => method.name)
/** The algorithms of client assertions as metadata names them. */
export const authSigningAlgs = [...KEY_ALGS, ...MAC_ALGS.keys()]

const PARAMETERS = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']
/** What a client with a secret that registered no method may use (OpenID Connect Core §9 names the first, many libraries know the second only). */
const BY_SECRET = [clientSecretBasic.name, clientSecretPost.name]

/** Authenticates clients at the machine endpoints (RFC 6749 §2.3): exactly one method must be presented, the right one, rightly. */
export class ClientAuthenticator {
  readonly #runtime: Runtime
  readonly #guard: SecretGuard

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#guard = new SecretGuard(runtime.now)
  }

  /**
   * `address`: where the request comes from, so that one stranger's guessing does not lock the client out everywhere. `endpoint`: the path of
   * the endpoint that was called, under the mount.
   */
  async authenticate(
    presented: Presented,
    address: string,
    endpoint = '/token',
  ): Promise<AuthenticatedClient> {
    const method = presentedMethod(presented)
    const credentials = method.read(presented)
    try {
      const client = await findClient(this.#runtime, credentials.clientId)
      if (client === undefined) throw invalidClient('This client is not known here.', 'client_unknown')
      checkMethod(client, method.name)
      const verification = { runtime: this.#runtime, guard: this.#guard, address, endpoint }
      const proof = await credentials.verify(client, verification)
      if (proof !== undefined) await useOnce(this.#runtime.store, client.id, proof)
      return client as AuthenticatedClient
    } catch (error) {
      if (error instanceof OAuthError) {
        const clientId = reportable(credentials.clientId)
        this.#runtime.emit('client.authentication_failed', { clientId, reason: error.reason, address })
      }
      throw error
    }
  }
}

function presentedMethod(presented: Presented): AuthMethod {
  presented.parameters.refuseRepeated(PARAMETERS)
  const [method, another] = METHODS.filter((known) => known.isPresented(presented))
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

function checkMethod(client: Client, method: string): void {
  if (!client.confidential) {
    if (method === none.name) return
    throw invalidClient(
      'This client is public: send client_id alone, without a proof.',
      'method_not_registered',
    )
  }
  const { tokenEndpointAuthMethod: registered } = client
  const allowed = registered === undefined ? BY_SECRET : [registered]
  if (allowed.includes(method)) return
  if (method === none.name) {
    throw invalidClient(`This client has to prove itself by ${allowed.join(' or ')}.`, 'credentials_missing')
  }
  throw invalidClient(`This client is registered for ${allowed.join(' or ')}.`, 'method_not_registered')
}
