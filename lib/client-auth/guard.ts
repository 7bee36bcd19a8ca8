import { FailureLimit } from '../clients/failure-limit.js'
import { liveSecrets } from '../clients/live-secrets.js'
import { isGuessable, SecretVerifier } from '../clients/secret.js'
import { OAuthError } from '../errors.js'
import { type From, networkOf } from '../network.js'
import type { Runtime } from '../runtime.js'
import type { Client, ClientSecret } from '../store/records.js'
import { Tally } from '../tally.js'
import { invalidClient } from './refusal.js'

/** Failures of one client from one address in a minute. */
const MOST_FAILURES = 20
/** Seconds. */
const MINUTE = 60
/** Slow hashes in a minute for one client, wherever they are asked from, and from one address, whatever client they are for. */
const MOST_HASHES_FOR_CLIENT = 60
const MOST_HASHES_FROM_ADDRESS = 20

/** Stands between what is presented and what is registered, and slows down whoever guesses, or makes others compute. */
export class Guard {
  readonly #runtime: Pick<Runtime, 'store' | 'now'>
  readonly #secrets = new SecretVerifier()
  readonly #failures = new FailureLimit(MOST_FAILURES)
  readonly #hashesFor = new FailureLimit(MOST_HASHES_FOR_CLIENT)
  readonly #hashesFrom = new FailureLimit(MOST_HASHES_FROM_ADDRESS)

  constructor(runtime: Pick<Runtime, 'store' | 'now'>) {
    this.#runtime = runtime
  }

  /** Resolves where one of these readings of a secret is the client's. */
  async check(client: Client, presented: readonly string[], from: From): Promise<undefined> {
    const beforeHash = () => this.#countHash(client, from)
    await this.limit(client, from, async (secrets) => {
      for (const secret of secrets)
        for (const reading of presented) if (await this.#secrets.matches(reading, secret, beforeHash)) return
      return invalidClient('The client_secret is wrong.', 'secret_mismatch')
    })
  }

  /**
   * Lets somebody try to prove that they know a secret of a client: one of those that `attempt` is called with, the newest first. It resolves
   * with a refusal where they do not, which counts as a failure; one that it rejects with does not count.
   */
  async limit(
    client: Client,
    from: From,
    attempt: (secrets: readonly ClientSecret[]) => Promise<OAuthError | undefined>,
  ): Promise<void> {
    const now = this.#runtime.now()
    const live = liveSecrets(client, now)
    // What nobody can guess is let in, whoever else has failed from the same address.
    const safe = live.filter((secret) => !isGuessable(secret))
    if (safe.length === 0 && this.#failures.any) refuseAfterTooMany(this.#failures, hereAs(client, from), now)
    const refusal = await attempt(this.hasFailedOften(client, from) ? safe : live)
    if (refusal === undefined) {
      const mayBeGuessed = safe.length < live.length && this.#hasFailed(client, from)
      if (mayBeGuessed && (safe.length === 0 || (await attempt(safe)) !== undefined))
        await this.#refuseAfterTooManyElsewhere(hereAs(client, from))
      return
    }
    const fromHere = hereAs(client, from)
    refuseAfterTooMany(this.#failures, fromHere, now)
    this.#failures.count(fromHere, now)
    if (safe.length < live.length) await this.#countEverywhere(fromHere)
    throw refusal
  }

  /** What could be guessed is counted in all processes: whoever goes from one to the next has one more guess in each, and no more. */
  async #countEverywhere(fromHere: string): Promise<void> {
    const before = await this.#tally(fromHere).add(MOST_FAILURES)
    this.#failures.raise(fromHere, before === undefined ? MOST_FAILURES : before + 1)
  }

  /** Whoever has failed in this process and is right now may be one of many guesses that were sent everywhere at once. */
  async #refuseAfterTooManyElsewhere(fromHere: string): Promise<void> {
    const seconds = await this.#tally(fromHere).wait(MOST_FAILURES)
    if (seconds > 0) throw tooMany(seconds)
  }

  #tally(fromHere: string): Tally {
    return new Tally(this.#runtime, `secret\0${fromHere}`, MINUTE)
  }

  #hasFailed(client: Client, from: From): boolean {
    return this.#failures.any && this.#failures.has(hereAs(client, from), this.#runtime.now())
  }

  /** Whether so many have failed here that what nobody can guess is let in still, but must not cost much. */
  hasFailedOften(client: Client, from: From): boolean {
    return (
      this.#failures.any && this.#failures.retryAfter(hereAs(client, from), this.#runtime.now()) !== undefined
    )
  }

  countFailure(client: Client, from: From): void {
    this.#failures.count(hereAs(client, from), this.#runtime.now())
  }

  #countHash({ id }: Client, { address }: From): void {
    const now = this.#runtime.now()
    const network = networkOf(address)
    refuseAfterTooMany(this.#hashesFor, id, now)
    refuseAfterTooMany(this.#hashesFrom, network, now)
    // Counted before they are computed, or attempts in parallel would all pass.
    this.#hashesFor.count(id, now)
    this.#hashesFrom.count(network, now)
  }
}

/** One client from one network. */
function hereAs({ id }: Client, { address }: From): string {
  return `${id} ${networkOf(address)}`
}

function refuseAfterTooMany(limit: FailureLimit, key: string, now: number): void {
  const seconds = limit.retryAfter(key, now)
  if (seconds !== undefined) throw tooMany(seconds)
}

function tooMany(seconds: number): OAuthError {
  return new OAuthError('invalid_client', `Too many failed attempts. Try again in ${seconds} seconds.`, {
    reason: 'too_many_failures',
    status: 429,
    headers: { 'Retry-After': String(seconds) },
  })
}
