import { OutgoingError } from '../outgoing/outgoing.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { logoutToken } from '../tokens/logout-token.js'
import { isVouchedFor } from '../vouched.js'
import type { Login } from './login.js'

/** One logout token that a client is to get. */
export interface LogoutNotice {
  readonly client: Client
  /** Without a session: all of the user's have ended. */
  readonly login: Login
}

interface Waiting {
  readonly notice: LogoutNotice
  /** How often it has been tried. */
  attempts: number
}

/** What one client is to get, one after the other, so that a client which is slow or gone takes one place of all and no more. */
interface Line {
  readonly waiting: Waiting[]
  /** Asleep: the client could not be reached, and nothing is sent to it for a while. */
  state: 'free' | 'called' | 'asleep'
  /** Of all that have not come to their end: waiting, put off and on the way. */
  size: number
}

interface Failure {
  readonly reason: string
  /** What happened, in words. */
  readonly problem: string
  /** Whether another attempt would end in the same way. */
  readonly final?: boolean
  /** Whether no answer came at all. */
  readonly silent?: boolean
}

/** Milliseconds between one attempt and the next. */
const DELAYS = [1_000, 5_000, 30_000]
/** So that a logout with many clients takes neither all sockets nor all attention. */
const MOST_AT_ONCE = 10
/** So that clients which are gone do not fill the memory. */
const MOST_WAITING = 10_000
const MOST_WAITING_FOR_ONE = 1_000

const CLOSED: Failure = { reason: 'provider_closed', problem: 'The provider was closed before.' }
const FULL: Failure = { reason: 'queue_full', problem: 'Too many logout tokens wait already.' }

/** Posts logout tokens in the background, several times if need be (OpenID Connect Back-Channel Logout §2.5). */
export class LogoutDelivery {
  readonly #runtime: Runtime
  /** By the id of the client. */
  readonly #lines = new Map<string, Line>()
  /** Those whose client can be called, in the order in which they get their turn. */
  readonly #ready = new Set<Line>()
  readonly #timers = new Map<NodeJS.Timeout, readonly Waiting[]>()
  readonly #calls = new Set<Promise<void>>()
  #size = 0
  #closed = false

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  send(notice: LogoutNotice): void {
    const { id } = notice.client
    const line: Line = this.#lines.get(id) ?? { waiting: [], state: 'free', size: 0 }
    const waiting = { notice, attempts: 0 }
    const full = this.#size >= MOST_WAITING || line.size >= MOST_WAITING_FOR_ONE
    if (this.#closed || full) {
      this.#tellFailure(waiting, this.#closed ? CLOSED : FULL)
      return
    }
    this.#lines.set(id, line)
    this.#size++
    line.size++
    this.#proceed(line, [waiting])
  }

  /** Gives up what waits, and waits for what is on its way: that ends by itself, within the seconds that an outgoing request may take. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers.keys()) clearTimeout(timer)
    const waiting = [...this.#lines.values()].flatMap((line) => line.waiting.splice(0))
    const dropped = [...waiting, ...[...this.#timers.values()].flat()]
    this.#timers.clear()
    for (const one of dropped) this.#tellFailure(one, CLOSED)
    await Promise.all(this.#calls)
  }

  /** Lets a line have its turn again, and whoever's turn it is be called. */
  #proceed(line: Line, more: readonly Waiting[] = []): void {
    line.waiting.push(...more)
    if (line.state === 'free' && line.waiting.length > 0) this.#ready.add(line)
    for (const next of this.#ready) {
      if (this.#calls.size >= MOST_AT_ONCE) return
      this.#ready.delete(next)
      const call = this.#callNext(next).finally(() => {
        this.#calls.delete(call)
        this.#proceed(next)
      })
      this.#calls.add(call)
    }
  }

  async #callNext(line: Line): Promise<void> {
    const current = line.waiting.shift()
    if (current === undefined) return
    line.state = 'called'
    const failure = await this.#post(current.notice)
    line.state = 'free'
    const { client, login } = current.notice
    if (failure === undefined) {
      this.#settled(current)
      this.#runtime.emit('logout.notified', { clientId: client.id, userId: login.userId })
      return
    }
    // An answer is about one notice. Silence is about the client: whatever else waits for it would meet the same.
    const met = failure.silent ? [current, ...line.waiting.splice(0)] : [current]
    const again: Waiting[] = []
    for (const one of met) {
      one.attempts++
      if (failure.final || this.#closed || one.attempts > DELAYS.length) this.#giveUp(one, failure)
      else again.push(one)
    }
    this.#putOff(line, again, failure.silent === true)
  }

  /** What met the same failure is tried again at the same time. */
  #putOff(line: Line, again: readonly Waiting[], asleep: boolean): void {
    const [first] = again
    if (first === undefined) return
    if (asleep) line.state = 'asleep'
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        if (asleep) line.state = 'free'
        line.waiting.unshift(...again)
        this.#proceed(line)
      },
      DELAYS[first.attempts - 1],
    )
    // A process that has nothing else to do may end.
    timer.unref()
    this.#timers.set(timer, again)
  }

  /** Each attempt has a token of its own: an earlier one may have arrived, and expires soon. */
  async #post({ client, login }: LogoutNotice): Promise<Failure | undefined> {
    try {
      const token = await logoutToken(this.#runtime, client, login)
      const uri = client.backchannelLogoutUri ?? ''
      const stranger = !isVouchedFor(client)
      return failureOf(await this.#runtime.outgoing.postForm(uri, { logout_token: token }, { stranger }))
    } catch (error) {
      if (error instanceof OutgoingError)
        return { reason: 'receiver_unreachable', silent: true, problem: error.message }
      this.#runtime.emit('server.error', { error, endpoint: '/logout' })
      return { reason: 'unexpected_error', problem: 'The logout token could not be sent.' }
    }
  }

  #giveUp(waiting: Waiting, failure: Failure): void {
    this.#settled(waiting)
    this.#tellFailure(waiting, failure)
  }

  #settled({ notice: { client } }: Waiting): void {
    this.#size--
    const line = this.#lines.get(client.id)
    if (line !== undefined && --line.size === 0) this.#lines.delete(client.id)
  }

  #tellFailure({ notice: { client, login }, attempts }: Waiting, { reason, problem }: Failure): void {
    const who = { clientId: client.id, userId: login.userId }
    this.#runtime.emit('logout.failed', { ...who, reason, problem, attempts })
  }
}

/** Back-Channel Logout §2.8: 200, or 204 from frameworks that make that of an empty answer. */
function failureOf(status: number): Failure | undefined {
  if (status === 200 || status === 204) return undefined
  const problem = `It answered ${status}.`
  if (status >= 400 && status < 500 && status !== 408 && status !== 429)
    return { reason: 'receiver_refused', final: true, problem }
  return { reason: 'receiver_failed', problem }
}
