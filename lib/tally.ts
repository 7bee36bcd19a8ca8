import { hash } from 'node:crypto'
import { recordId } from './record-id.js'
import type { Runtime } from './runtime.js'
import type { FoundRecord } from './store/records.js'

/** What is being counted now in this process, by store and id. */
const counting = new WeakMap<Runtime['store'], Map<string, Promise<unknown>>>()

/**
 * Counts attempts of somebody in the store, so for every process, and for a while: in spans of time, of which the one before counts too. So
 * in no stretch of time as long as a span are there more than are let in, wherever the spans begin.
 */
export class Tally {
  readonly #store: Runtime['store']
  readonly #subject: Buffer
  readonly #now: number
  /** Milliseconds. */
  readonly #span: number
  readonly #current: number

  /** `subject`: what is counted, and whose. `span`: seconds. */
  constructor({ store, now }: Pick<Runtime, 'store' | 'now'>, subject: string, span: number) {
    this.#store = store
    this.#subject = hash('sha256', `attempt\0${subject}`, 'buffer')
    this.#now = now()
    this.#span = span * 1000
    this.#current = Math.floor(this.#now / this.#span)
  }

  /** Counts one more, and answers how many there were before; undefined, and not counted, where those are `most` already. */
  async add(most = Number.POSITIVE_INFINITY): Promise<number | undefined> {
    const earlier = countIn(await this.#find(this.#current - 1))
    return this.#inTurn(async () => {
      for (;;) {
        const record = await this.#find(this.#current)
        const count = countIn(record)
        if (earlier + count >= most) return undefined
        if (await this.#write(record, count + 1)) return earlier + count
      }
    })
  }

  /** Takes back what this tally has added. */
  async takeBack(): Promise<void> {
    await this.#inTurn(async () => {
      for (;;) {
        const record = await this.#find(this.#current)
        if (record === undefined || (await this.#write(record, countIn(record) - 1))) return
      }
    })
  }

  /** Seconds until there are less than `most`; 0 where there are. */
  async wait(most: number): Promise<number> {
    const [earlier, count] = await Promise.all([this.#find(this.#current - 1), this.#find(this.#current)])
    if (countIn(earlier) + countIn(count) < most) return 0
    const free = this.#current + (countIn(count) < most ? 1 : 2)
    return Math.ceil((free * this.#span - this.#now) / 1000)
  }

  /**
   * Of many at once each waits for the one before: else every one of them would find the count changed by each of the others, and a burst would
   * cost as many questions to the store as its square. Where one fails, so do those who wait: the store would let each of them wait as long.
   */
  async #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const id = this.#idOf(this.#current)
    const turns = counting.get(this.#store) ?? new Map<string, Promise<unknown>>()
    counting.set(this.#store, turns)
    const before = turns.get(id)
    const turn = before === undefined ? task() : before.then(task)
    turns.set(id, turn)
    try {
      return await turn
    } finally {
      if (turns.get(id) === turn) turns.delete(id)
    }
  }

  async #find(span: number): Promise<FoundRecord | undefined> {
    return this.#store.find(this.#idOf(span))
  }

  async #write(known: FoundRecord | undefined, count: number): Promise<boolean> {
    const data = JSON.stringify(count)
    if (known !== undefined) return this.#store.amend(known.id, known.data, data)
    const id = this.#idOf(this.#current)
    return this.#store.insert([{ id, kind: 'attempt', hash: this.#subject, data }])
  }

  #idOf(span: number): string {
    return recordId((span + 2) * this.#span, this.#subject)
  }
}

/** What is no number is damaged, and counts from 0 again. */
function countIn(record: FoundRecord | undefined): number {
  const count = Number(record?.data ?? 0)
  return Number.isSafeInteger(count) ? count : 0
}
