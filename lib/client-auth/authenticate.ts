import { type AuthMethodName, offeredAuthMethods } from '../clients/auth-methods.js'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { DocumentRefusal } from '../clients/document-refusal.js'
import { type DocumentUse, findAuthenticatingClient, reportable } from '../clients/find.js'
import { forbiddenBy } from '../clients/profile.js'
import { OAuthError, toldOf } from '../errors.js'
import { keyAlgs, MAC_ALGS } from '../keys/client-jwt.js'
import type { From } from '../network.js'
import { optional } from '../optional.js'
import type { Runtime } from '../runtime.js'
import type { Settings } from '../settings.js'
import { useOnce } from '../single-use.js'
import type { Client } from '../store/records.js'
import { presentedAssertion } from './assertion.js'
import { clientSecretBasic } from './client-secret-basic.js'
import { clientSecretJwt } from './client-secret-jwt.js'
import { clientSecretPost } from './client-secret-post.js'
import type { AuthMethod, AuthRequest, Credentials, Presented } from './credentials.js'
import { Guard } from './guard.js'
import { none } from './none.js'
import { privateKeyJwt } from './private-key-jwt.js'
import { invalidClient } from './refusal.js'
import { selfSignedTlsClientAuth } from './self-signed-tls-client-auth.js'
import { tlsClientAuth } from './tls-client-auth.js'

const METHODS: Readonly<Record<AuthMethodName, AuthMethod>> = {
  none,
  client_secret_basic: clientSecretBasic,
  client_secret_post: clientSecretPost,
  client_secret_jwt: clientSecretJwt,
  private_key_jwt: privateKeyJwt,
  tls_client_auth: tlsClientAuth,
  self_signed_tls_client_auth: selfSignedTlsClientAuth,
}

/** The algorithms of client assertions as metadata names them. */
export function authSigningAlgs(settings: Settings): readonly string[] {
  const macs = offeredAuthMethods(settings).includes('client_secret_jwt') ? MAC_ALGS.keys() : []
  return [...keyAlgs(settings.profile), ...macs]
}

const PARAMETERS = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']
/** What a client with a secret that registered no method may use (OpenID Connect Core §9 names the first, many libraries know the second only). */
const BY_SECRET: readonly AuthMethodName[] = ['client_secret_basic', 'client_secret_post']

/** Authenticates clients at the machine endpoints (RFC 6749 §2.3): exactly one method must be presented, the right one, rightly. */
export class ClientAuthenticator {
  readonly #runtime: Runtime
  readonly #guard: Guard
  readonly #methods: readonly AuthMethodName[]

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#guard = new Guard(runtime)
    this.#methods = offeredAuthMethods(runtime.settings)
  }

  /** `use`: what counts of a client that has come by its document. */
  async #find(clientId: string, use: DocumentUse, from: From): Promise<Client> {
    try {
      const client = await findAuthenticatingClient(this.#runtime, clientId, use, from)
      if (client !== undefined) return client
    } catch (error) {
      throw error instanceof DocumentRefusal ? told(error) : error
    }
    throw invalidClient('This client is not known here. Register it again.', 'client_unknown')
  }

  async authenticate(request: AuthRequest, use: DocumentUse): Promise<AuthenticatedClient> {
    const { parameters, authorization, endpoint } = request
    parameters.refuseRepeated(PARAMETERS)
    const presented = { parameters, authorization, assertion: presentedAssertion(parameters) }
    const ways = presentedWays(presented, this.#methods)
    const [{ clientId }] = ways
    try {
      const client = await this.#find(clientId, use, request)
      const { sender } = request
      const verification = { runtime: this.#runtime, guard: this.#guard, from: request, endpoint, sender }
      const proof = await registeredWay(client, ways).verify(client, verification)
      if (proof !== undefined && !(await useOnce(this.#runtime.store, 'assertion', proof))) throw replayed()
      const refusal = forbiddenBy(this.#runtime.settings.profile, client)
      if (refusal !== undefined) throw forbidden(refusal)
      return client as AuthenticatedClient
    } catch (error) {
      if (error instanceof OAuthError) {
        const { reason, problem } = toldOf(error)
        this.#runtime.emit('client.authentication_failed', {
          clientId: reportable(clientId),
          reason,
          address: request.address,
          ...optional('problem', problem),
        })
      }
      throw error
    }
  }
}

/** What is wrong with a document, told to its client. */
function told({ message, reason, cause, mayPass }: DocumentRefusal): OAuthError {
  if (!mayPass) return invalidClient(message, reason)
  // As where its keys cannot be had: any other refusal would be taken for final.
  return new OAuthError('temporarily_unavailable', message, {
    reason,
    cause,
    headers: { 'Retry-After': '10' },
  })
}

/** Kept from before the option `profile` was set. It has proven who it is, so it may know. */
function forbidden({ message, reason }: OAuthError): OAuthError {
  return invalidClient(`This client cannot be used here any more. Its ${message}`, `client_${reason}`)
}

function replayed(): OAuthError {
  return invalidClient(
    'This client_assertion was used before. Make a new one, with a jti of its own, for each request.',
    'assertion_replayed',
  )
}

interface Way extends Credentials {
  readonly method: AuthMethodName
}

/** What a request may be using: one method, or those which it cannot be told apart by. They name the same client. */
function presentedWays(presented: Presented, offered: readonly AuthMethodName[]): readonly [Way, ...Way[]] {
  const methods = offered.filter((name) => METHODS[name].isPresented(presented))
  if (methods.filter((name) => !METHODS[name].isTacit).length > 1) {
    throw new OAuthError('invalid_request', 'Use one way of client authentication, not two.', {
      reason: 'methods_conflict',
    })
  }
  const [way, ...others] = methods.map((method) => ({ method, ...METHODS[method].read(presented) }))
  if (way !== undefined) return [way, ...others]
  throw invalidClient(
    'No client authentication: send client_id and client_secret by HTTP Basic or in the body, or a client_assertion; a client that is public or connects with a certificate sends client_id.',
    'credentials_missing',
  )
}

function registeredWay(client: Client, ways: readonly [Way, ...Way[]]): Way {
  const allowed = registeredMethods(client)
  const way = ways.find(({ method }) => allowed.includes(method))
  if (way !== undefined) return way
  if (!client.confidential) {
    throw invalidClient(
      'This client is public: send client_id alone, without a proof.',
      'method_not_registered',
    )
  }
  if (METHODS[ways[0].method].isTacit) {
    throw invalidClient(`This client has to prove itself by ${allowed.join(' or ')}.`, 'credentials_missing')
  }
  throw invalidClient(`This client is registered for ${allowed.join(' or ')}.`, 'method_not_registered')
}

function registeredMethods({ confidential, tokenEndpointAuthMethod: registered }: Client): readonly string[] {
  if (!confidential) return ['none']
  return registered === undefined ? BY_SECRET : [registered]
}
