import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { FailureLimit } from '../clients/failure-limit.js'
import { findClient } from '../clients/find.js'
import { SecretVerifier } from '../clients/secret.js'
import { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { clientSecretBasic } from './client-secret-basic.js'
import { clientSecretPost } from './client-secret-post.js'
import type { Credentials, Presented } from './credentials.js'
import { none } from './none.js'

const METHODS = [clientSecretBasic, clientSecretPost, none]

/** The methods as metadata names them, `none` first: clients take the first that they know (RFC 8414 §2). */
export const authMethodNames = METHODS.map((method) => method.name).reverse()

const PARAMETERS = ['client_id', 'client_secret']

/** Authenticates clients at the machine endpoints (RFC 6749 §2.3): exactly one method must be presented, the right one, rightly. */
export class ClientAuthenticator {
  readonly #runtime: Runtime
  readonly #secrets = new SecretVerifier()
  readonly #failures = new FailureLimit()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** `address`: where the request comes from, so that one stranger's guessing does not lock the client out everywhere. */
  async authenticate(presented: Presented, address: string): Promise<AuthenticatedClient> {
    const credentials = presentedCredentials(presented)
    try {
      const client = await findClient(this.#runtime, credentials.clientId)
      if (client === undefined) throw invalidClient('This client is not known here.', 'client_unknown')
      checkMethod(client, credentials)
      if (client.secret !== undefined) await this.#checkSecret(client, client.secret, credentials, address)
      return client as AuthenticatedClient
    } catch (error) {
      if (error instanceof OAuthError) {
        const { reason } = error
        this.#runtime.emit('client.authentication_failed', {
          clientId: credentials.clientId,
          reason,
          address,
        })
      }
      throw error
    }
  }

  async #checkSecret(
    client: Client,
    secret: NonNullable<Client['secret']>,
    credentials: Credentials,
    address: string,
  ): Promise<void> {
    const now = this.#runtime.now()
    const fromHere = `${client.id} ${address}`
    const refuseAfterFailures = (key: string) => {
      const seconds = this.#failures.retryAfter(key, now)
      if (seconds !== undefined) throw tooManyFailures(seconds)
    }
    refuseAfterFailures(fromHere)
    for (const presented of credentials.secrets) {
      // Slow hashes are rationed for the client as a whole: addresses are cheap, the event loop is not.
      if (await this.#secrets.matches(presented, secret, () => refuseAfterFailures(client.id))) return
    }
    this.#failures.count(fromHere, now)
    this.#failures.count(client.id, now)
    throw invalidClient('The client_secret is wrong.', 'secret_mismatch')
  }
}

function presentedCredentials(presented: Presented): Credentials {
  const repeated = presented.parameters.repeated(PARAMETERS)
  if (repeated !== undefined) {
    throw new OAuthError('invalid_request', `${repeated} was sent more than once.`, {
      reason: 'parameter_repeated',
    })
  }
  const found = METHODS.map((method) => method.read(presented)).filter(
    (credentials) => credentials !== undefined,
  )
  if (found.length > 1) {
    throw new OAuthError('invalid_request', 'Use one way of client authentication, not two.', {
      reason: 'methods_conflict',
    })
  }
  const [credentials] = found
  if (credentials !== undefined) return credentials
  throw invalidClient(
    'No client authentication: send client_id and client_secret by HTTP Basic or in the body; a public client sends client_id.',
    'credentials_missing',
  )
}

function checkMethod(client: Client, { method }: Credentials): void {
  if (client.secret === undefined) {
    if (method === 'none') return
    throw invalidClient(
      'This client is public: send client_id alone, without a secret.',
      'method_not_registered',
    )
  }
  if (method === 'none')
    throw invalidClient('This client has to send its client_secret.', 'credentials_missing')
  const registered = client.tokenEndpointAuthMethod
  if (registered !== undefined && registered !== method) {
    throw invalidClient(`This client is registered for ${registered}.`, 'method_not_registered')
  }
}

/** RFC 6749 §5.2; the challenge is always there, since HTTP asks for one beside 401 (RFC 9110 §11.6.1). */
function invalidClient(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_client', description, {
    reason,
    headers: { 'WWW-Authenticate': 'Basic realm="oauth"' },
  })
}

function tooManyFailures(seconds: number): OAuthError {
  return new OAuthError('invalid_client', `Too many failed attempts. Try again in ${seconds} seconds.`, {
    reason: 'too_many_failures',
    status: 429,
    headers: { 'Retry-After': String(seconds) },
  })
}
