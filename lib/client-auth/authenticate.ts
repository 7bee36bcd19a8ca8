import { isIPv6 } from 'node:net'
import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import { FailureLimit } from '../clients/failure-limit.js'
import { findClient, reportable } from '../clients/find.js'
import { isGuessable, SecretVerifier } from '../clients/secret.js'
import { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { clientSecretBasic } from './client-secret-basic.js'
import { clientSecretPost } from './client-secret-post.js'
import { type Credentials, invalidClient, type Presented, presentsAssertion } from './credentials.js'
import { none } from './none.js'

/** `none` comes first, since some clients take the first method of the metadata that they know. */
const METHODS = [none, clientSecretBasic, clientSecretPost]

/** The methods as metadata names them. */
export const authMethodNames = METHODS.map((method) => method.name)

const PARAMETERS = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']

/** Failures of one client from one address in a minute. */
const MOST_FAILURES = 20
/** Slow hashes in a minute for one client, wherever they are asked from, and from one address, whatever client they are for. */
const MOST_HASHES_FOR_CLIENT = 60
const MOST_HASHES_FROM_ADDRESS = 20

/** Authenticates clients at the machine endpoints (RFC 6749 §2.3): exactly one method must be presented, the right one, rightly. */
export class ClientAuthenticator {
  readonly #runtime: Runtime
  readonly #secrets = new SecretVerifier()
  readonly #failures = new FailureLimit(MOST_FAILURES)
  readonly #hashesFor = new FailureLimit(MOST_HASHES_FOR_CLIENT)
  readonly #hashesFrom = new FailureLimit(MOST_HASHES_FROM_ADDRESS)

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
    const network = networkOf(address)
    const fromHere = `${client.id} ${network}`
    const refuseAfterTooMany = (limit: FailureLimit, key: string) => {
      const seconds = limit.retryAfter(key, now)
      if (seconds !== undefined) throw tooManyFailures(seconds)
    }
    const beforeHash = () => {
      refuseAfterTooMany(this.#hashesFor, client.id)
      refuseAfterTooMany(this.#hashesFrom, network)
      // Counted before they are computed, or attempts in parallel would all pass.
      this.#hashesFor.count(client.id, now)
      this.#hashesFrom.count(network, now)
    }
    // What nobody can guess is let in, whoever else has failed from the same address.
    if (isGuessable(secret)) refuseAfterTooMany(this.#failures, fromHere)
    for (const presented of credentials.secrets)
      if (await this.#secrets.matches(presented, secret, beforeHash)) return
    refuseAfterTooMany(this.#failures, fromHere)
    this.#failures.count(fromHere, now)
    throw invalidClient('The client_secret is wrong.', 'secret_mismatch')
  }
}

function presentedCredentials(presented: Presented): Credentials {
  presented.parameters.refuseRepeated(PARAMETERS)
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
