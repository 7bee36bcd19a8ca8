import { OutgoingError } from '../outgoing/outgoing.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { logoutToken } from '../tokens/logout-token.js'

/** One logout token that a client is to get. */
export interface LogoutNotice {
  readonly client: Client
  readonly userId: string
  /** Undefined where all sessions of the user have ended. */
  readonly sid: string | undefined
}

interface Attempt {
  readonly notice: LogoutNotice
  /** 1 for the first. */
  readonly number: number
}

interface Failure {
  readonly reason: string
  /** Whether another attempt would end in the same way. */
  readonly final: boolean
  /** What happened, in words. */
  readonly problem: string
}

/** Milliseconds between one attempt and the next. */
const DELAYS = [1_000, 5_000, 30_000]
/** So that a logout with many clients takes neither all sockets nor all attention. */
const MOST_AT_ONCE = 10

/** Posts logout tokens in the background, several times if need be (OpenID Connect Back-Channel Logout §2.5). */
export class LogoutDelivery {
  readonly #runtime: Runtime
  readonly #waiting: Attempt[] = []
  readonly #delayed = new Map<NodeJS.Timeout, Attempt>()
  #running = 0
  #closed = false

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  send(notice: LogoutNotice): void {
    this.#queue({ notice, number: 1 })
  }

  /** Stops what waits, and tells that it has failed. What is under way comes to its end. */
  close(): void {
    this.#closed = true
    for (const timer of this.#delayed.keys()) clearTimeout(timer)
    const dropped = [...this.#waiting.splice(0), ...this.#delayed.values()]
    this.#delayed.clear()
    for (const attempt of dropped) this.#giveUp(attempt, closed, attempt.number - 1)
  }

  #queue(attempt: Attempt): void {
    this.#waiting.push(attempt)
    if (this.#closed) this.close()
    else this.#next()
  }

  #next(): void {
    while (this.#running < MOST_AT_ONCE) {
      const attempt = this.#waiting.shift()
      if (attempt === undefined) return
      this.#running++
      this.#try(attempt).finally(() => {
        this.#running--
        this.#next()
      })
    }
  }

  async #try(attempt: Attempt): Promise<void> {
    const failure = await this.#post(attempt.notice)
    const { client, userId } = attempt.notice
    if (failure === undefined) {
      this.#runtime.emit('logout.notified', { clientId: client.id, userId })
      return
    }
    const delay = DELAYS[attempt.number - 1]
    if (failure.final || delay === undefined || this.#closed) {
      this.#giveUp(attempt, failure, attempt.number)
      return
    }
    const again = { ...attempt, number: attempt.number + 1 }
    const timer = setTimeout(() => {
      this.#delayed.delete(timer)
      this.#queue(again)
    }, delay)
    // A process that has nothing else to do may end.
    timer.unref()
    this.#delayed.set(timer, again)
  }

  /** Each attempt has a token of its own: an earlier one may have arrived, and expires soon. */
  async #post({ client, ...session }: LogoutNotice): Promise<Failure | undefined> {
    try {
      const token = await logoutToken(this.#runtime, client, session)
      const uri = client.backchannelLogoutUri ?? ''
      return failureOf(await this.#runtime.outgoing.postForm(uri, { logout_token: token }))
    } catch (error) {
      if (error instanceof OutgoingError)
        return { reason: 'receiver_unreachable', final: false, problem: error.message }
      this.#runtime.emit('server.error', { error, endpoint: '/logout' })
      return { reason: 'unexpected_error', final: false, problem: 'The logout token could not be sent.' }
    }
  }

  #giveUp({ notice }: Attempt, { reason, problem }: Failure, attempts: number): void {
    const { client, userId } = notice
    this.#runtime.emit('logout.failed', { clientId: client.id, userId, reason, problem, attempts })
  }
}

const closed: Failure = { reason: 'provider_closed', final: true, problem: 'The provider was closed before.' }

/** Back-Channel Logout §2.8: 200, or 204 from frameworks that make that of an empty answer. */
function failureOf(status: number): Failure | undefined {
  if (status === 200 || status === 204) return undefined
  const problem = `It answered ${status}.`
  const final = status >= 400 && status < 500 && status !== 408 && status !== 429
  if (final) return { reason: 'receiver_refused', final, problem }
  return { reason: 'receiver_failed', final, problem }
}
