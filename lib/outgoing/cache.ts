import type { Freshness, Kept } from './freshness.js'
import type { FetchedJson } from './outgoing.js'

/** Milliseconds between two questions that pass over a document still fresh. */
const FRESH_AGAIN = 5000
/** So often is one URL asked in so many milliseconds. After that, what came last counts again. */
const MOST_OFTEN = { times: 20, in: 10_000 }
/** URLs that are remembered at once; the oldest are forgotten first, so memory stays bounded. */
const MOST_URLS = 1000

interface Entry {
  kept?: Kept
  /** Set where the last question failed. */
  failure?: unknown
  freshAt: number
  times: number
  windowEndsAt: number
}

/** Asks the URL. `kept` is what it said before. */
export type Ask = (kept: Kept | undefined) => Promise<Kept>

/**
 * What URLs said, for as long as HTTP allows. One question at a time goes to a URL, and whoever asks meanwhile shares its answer;
 * so neither callers, nor `no-store`, nor errors make us ask a stranger's server more often than it can take.
 */
export class DocumentCache {
  readonly #now: () => number
  readonly #freshness: Freshness
  readonly #entries = new Map<string, Entry>()
  readonly #running = new Map<string, Promise<FetchedJson>>()

  constructor(now: () => number, freshness: Freshness) {
    this.#now = now
    this.#freshness = freshness
  }

  /** `fresh` passes over a document that is still fresh. @throws whatever `ask` throws. */
  async get(url: string, fresh: boolean, ask: Ask): Promise<FetchedJson> {
    const now = this.#now()
    const entry = this.#entry(url, now)
    const { kept } = entry
    const good = kept && this.#freshness.isFresh(kept) ? kept : undefined
    // Before a question under way is shared: it may be a stranger's, and fail.
    if (good && !fresh) return { body: good.body, cached: true }
    const running = this.#running.get(url)
    if (running) return running
    const again = fresh && now - entry.freshAt >= FRESH_AGAIN
    if (good && !again) return { body: good.body, cached: true }
    if (entry.times >= MOST_OFTEN.times) {
      if (entry.failure !== undefined || !kept) throw entry.failure
      return { body: kept.body, cached: true }
    }
    entry.times++
    if (again) entry.freshAt = now
    const question = this.#ask(entry, ask).finally(() => this.#running.delete(url))
    this.#running.set(url, question)
    return question
  }

  async #ask(entry: Entry, ask: Ask): Promise<FetchedJson> {
    try {
      entry.kept = await ask(entry.kept)
      delete entry.failure
      return { body: entry.kept.body, cached: false }
    } catch (failure) {
      entry.failure = failure
      throw failure
    }
  }

  #entry(url: string, now: number): Entry {
    const entry = this.#entries.get(url) ?? { freshAt: -Infinity, times: 0, windowEndsAt: 0 }
    if (entry.windowEndsAt <= now) {
      entry.times = 0
      entry.windowEndsAt = now + MOST_OFTEN.in
    }
    this.#entries.delete(url)
    this.#entries.set(url, entry)
    if (this.#entries.size > MOST_URLS) {
      const [oldest] = this.#entries.keys()
      if (oldest !== undefined) this.#entries.delete(oldest)
    }
    return entry
  }
}
