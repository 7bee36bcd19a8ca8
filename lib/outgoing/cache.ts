import type { Freshness, Kept } from './freshness.js'
import { type FetchedJson, OutgoingError } from './outgoing.js'

/** Milliseconds between two questions that pass over a document still fresh. */
const FRESH_AGAIN = 5000
/** So often is one URL asked in so many milliseconds. After that, what came last counts again, for the time that `STANDS_IN` is. */
const MOST_OFTEN: Pace = { times: 20, in: 10_000 }
/** Milliseconds since it was confirmed in which a copy that is no longer fresh stands in for an answer, where too many questions were asked. */
const STANDS_IN = 60_000
/** URLs that are remembered at once; the oldest are forgotten first, so memory stays bounded. */
const MOST_URLS = 1000
/** Bytes that their documents may take together; the oldest make room for what is new. */
const MOST_ROOM = 16 * 1024 * 1024

export interface Pace {
  readonly times: number
  /** Milliseconds. */
  readonly in: number
}

interface Entry {
  kept?: Kept
  /** Set where the last question failed. */
  failure?: unknown
  freshAt: number
  times: number
  windowEndsAt: number
}

export interface Wanted {
  /** Whether to pass over a document that is still fresh. */
  readonly fresh: boolean
  /** Asked before a question is sent; false where too many were, of which this cache need not know. */
  readonly admit: () => boolean
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
  readonly #pace: Pace
  readonly #entries = new Map<string, Entry>()
  readonly #running = new Map<string, Promise<FetchedJson>>()
  #room = 0

  constructor(now: () => number, freshness: Freshness, pace = MOST_OFTEN) {
    this.#now = now
    this.#freshness = freshness
    this.#pace = pace
  }

  /** @throws whatever `ask` throws, and OutgoingError where there were too many questions and there is no copy, or one too old to be true. */
  async get(url: string, { fresh, admit }: Wanted, ask: Ask): Promise<FetchedJson> {
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
    if (entry.times >= this.#pace.times || !admit()) {
      // What a site has withdrawn must not come back because somebody keeps us from asking.
      const standIn = good ?? (kept && now < kept.checkedAt + STANDS_IN ? kept : undefined)
      if (entry.failure !== undefined || !standIn) throw entry.failure ?? tooOften()
      return { body: standIn.body, cached: true }
    }
    entry.times++
    this.#remember(url, entry)
    if (again) entry.freshAt = now
    const question = this.#ask(url, entry, ask).finally(() => this.#running.delete(url))
    this.#running.set(url, question)
    return question
  }

  async #ask(url: string, entry: Entry, ask: Ask): Promise<FetchedJson> {
    try {
      const kept = await ask(entry.kept)
      this.#forget(url)
      entry.kept = kept
      delete entry.failure
      this.#remember(url, entry)
      return { body: kept.body, cached: false }
    } catch (failure) {
      entry.failure = failure
      throw failure
    }
  }

  /** Of a URL that has never been asked nothing is remembered: whoever may not have it asked pushes out nothing either. */
  #entry(url: string, now: number): Entry {
    const known = this.#entries.get(url)
    if (known !== undefined) this.#remember(url, known)
    const entry = known ?? { freshAt: -Infinity, times: 0, windowEndsAt: 0 }
    if (entry.windowEndsAt <= now) {
      entry.times = 0
      entry.windowEndsAt = now + this.#pace.in
    }
    return entry
  }

  #remember(url: string, entry: Entry): void {
    this.#forget(url)
    this.#entries.set(url, entry)
    this.#room += entry.kept?.weight ?? 0
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MOST_URLS && this.#room <= MOST_ROOM) break
      this.#forget(oldest)
    }
  }

  #forget(url: string): void {
    this.#room -= this.#entries.get(url)?.kept?.weight ?? 0
    this.#entries.delete(url)
  }
}

function tooOften(): OutgoingError {
  return new OutgoingError('The URL was not asked now, since too many have been. Try again in a minute.')
}
