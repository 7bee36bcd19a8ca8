/** Milliseconds. */
const WINDOW = 60_000
/** Keys that are remembered at once; the oldest are forgotten first, so memory stays bounded. */
const MOST_KEYS = 10_000

/** Lets so many questions through in a minute. */
export class MinuteLimit {
  readonly #most: number
  readonly #now: () => number
  #times = 0
  #endsAt = -Infinity

  constructor(most: number, now: () => number) {
    this.#most = most
    this.#now = now
  }

  /** Whether one more may be asked now, which then counts. */
  admit(): boolean {
    const now = this.#now()
    if (this.#endsAt <= now) {
      this.#times = 0
      this.#endsAt = now + WINDOW
    }
    if (this.#times >= this.#most) return false
    this.#times++
    return true
  }
}

/** The same by key: by host, by who makes us ask. */
export class QuestionLimit {
  readonly #most: number
  readonly #now: () => number
  readonly #limits = new Map<string, MinuteLimit>()

  constructor(most: number, now: () => number) {
    this.#most = most
    this.#now = now
  }

  admit(key: string): boolean {
    const limit = this.#limits.get(key) ?? new MinuteLimit(this.#most, this.#now)
    if (!limit.admit()) return false
    this.#limits.delete(key)
    this.#limits.set(key, limit)
    const [oldest] = this.#limits.size > MOST_KEYS ? this.#limits.keys() : []
    if (oldest !== undefined) this.#limits.delete(oldest)
    return true
  }
}
