import { isIPv6 } from 'node:net'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { FailureLimit } from '../clients/failure-limit.js'
import { findClient, reportable } from '../clients/find.js'
import { SecretVerifier } from '../clients/secret.js'
import { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { clientSecretBasic } from './client-secret-basic.js'
import { clientSecretPost } from './client-secret-post.js'
import { type Credentials, invalidClient, type Presented, presentsAssertion } from './credentials.js'
import { none } from './none.js'

const METHODS = [clientSecretBasic, clientSecretPost, none]

/** The methods as metadata names them, `none` first: clients take the first that they know (RFC 8414 §2). */
export const authMethodNames = METHODS.map((method) => method.name).reverse()

const PARAMETERS = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']

/** Failures of one client from one address in a minute. */
const MOST_FAILURES = 20
/** Slow hashes for one client in a minute, wherever they are asked from: addresses are cheap, the event loop is not. */
const MOST_HASHES = 60

/** Authenticates clients at the machine endpoints (RFC 6749 §2.3): exactly one method must be presented, the right one, rightly. */
export class ClientAuthenticator {
  readonly #runtime: Runtime
  readonly #secrets = new SecretVerifier()
  readonly #failures = new FailureLimit(MOST_FAILURES)
  readonly #hashes = new FailureLimit(MOST_HASHES)

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
          clientId: reportable(credentials.clientId),
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
    const fromHere = `${client.id} ${networkOf(address)}`
    const refuseAfterTooMany = (limit: FailureLimit, key: string) => {
      const seconds = limit.retryAfter(key, now)
      if (seconds !== undefined) throw tooManyFailures(seconds)
    }
    let counted = false
    // Counted before they are computed, or attempts in parallel would all pass.
    const beforeHash = () => {
      refuseAfterTooMany(this.#failures, fromHere)
      refuseAfterTooMany(this.#hashes, client.id)
      this.#failures.count(fromHere, now)
      this.#hashes.count(client.id, now)
      counted = true
    }
    refuseAfterTooMany(this.#failures, fromHere)
    for (const presented of credentials.secrets)
      if (await this.#secrets.matches(presented, secret, beforeHash)) return
    if (!counted) this.#failures.count(fromHere, now)
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
  const asserts = presentsAssertion(presented)
  if (found.length + (asserts ? 1 : 0) > 1) {
    throw new OAuthError('invalid_request', 'Use one way of client authentication, not two.', {
      reason: 'methods_conflict',
    })
  }
  const [credentials] = found
  if (credentials !== undefined) return credentials
  if (asserts) throw invalidClient('client_assertion is not supported here.', 'method_not_supported')
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

function tooManyFailures(seconds: number): OAuthError {
  return new OAuthError('invalid_client', `Too many failed attempts. Try again in ${seconds} seconds.`, {
    reason: 'too_many_failures',
    status: 429,
    headers: { 'Retry-After': String(seconds) },
  })
}

/** Whoever has an IPv6 address has 2^64 of them, so these count as one. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address
  const [front = '', back] = address.split('::')
  const head = front.split(':').filter(Boolean)
  const tail = back?.split(':').filter(Boolean) ?? []
  const zeros = back === undefined ? [] : Array(8 - head.length - tail.length).fill('0')
  return [...head, ...zeros, ...tail].slice(0, 4).join(':')
}
