/** Milliseconds. */
const WINDOW = 60_000
/** Keys that are remembered at once; the oldest are forgotten first, so memory stays bounded. */
const MOST_KEYS = 10_000

/** Counts attempts by key, so that whoever guesses is slowed down before a guess costs anything. */
export class FailureLimit {
  readonly #most: number
  readonly #windows = new Map<string, { attempts: number; endsAt: number }>()

  /** `most`: attempts that are let through in one minute. */
  constructor(most: number) {
    this.#most = most
  }

  /** Whether any attempt has ever been counted: where none has, nobody needs to make a key. */
  get any(): boolean {
    return this.#windows.size > 0
  }

  /** Whether an attempt counts still. */
  has(key: string, now: number): boolean {
    return (this.#windows.get(key)?.endsAt ?? 0) > now
  }

  /** Seconds after which to try again, or undefined where an attempt may be made now. */
  retryAfter(key: string, now: number): number | undefined {
    const window = this.#windows.get(key)
    if (window === undefined || window.attempts < this.#most) return undefined
    if (window.endsAt <= now) {
      this.#windows.delete(key)
      return undefined
    }
    return Math.ceil((window.endsAt - now) / 1000)
  }

  /** Counts as many attempts as there have been elsewhere too, where those are more. */
  raise(key: string, attempts: number): void {
    const window = this.#windows.get(key)
    if (window !== undefined) window.attempts = Math.max(window.attempts, attempts)
  }

  count(key: string, now: number): void {
    const window = this.#windows.get(key)
    if (window !== undefined && window.endsAt > now) {
      window.attempts++
      return
    }
    this.#windows.delete(key)
    this.#windows.set(key, { attempts: 1, endsAt: now + WINDOW })
    if (this.#windows.size > MOST_KEYS) {
      const [oldest] = this.#windows.keys()
      if (oldest !== undefined) this.#windows.delete(oldest)
    }
  }
}
