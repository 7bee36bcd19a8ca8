import type { IncomingHttpHeaders } from 'node:http'
import CachePolicy, { type Headers } from 'http-cache-semantics'
import type { Received } from './json.js'

/** Seconds that a document without any caching header is kept. */
const UNSAID = 5 * 60
/** Milliseconds that a document is kept at most, whatever its headers say. */
const LONGEST = 24 * 3600_000

/** A document and what HTTP says of how long it is good. */
export interface Kept extends Received {
  readonly policy: CachePolicy
  /** Of our clock; the server's is not asked, since it may be wrong. */
  readonly checkedAt: number
}

/** The rules of RFC 9111, for a private cache: what we fetch is read by nobody else. */
export class Freshness {
  readonly #now: () => number
  readonly #Policy: typeof CachePolicy

  constructor(now: () => number) {
    this.#now = now
    this.#Policy = class extends CachePolicy {
      now(): number {
        return now()
      }
    }
  }

  keep({ body, weight }: Received, request: Headers, response: IncomingHttpHeaders): Kept {
    const { expires, pragma } = response
    const unsaid = expires === undefined && pragma === undefined ? `max-age=${UNSAID}` : undefined
    const said = response['cache-control'] ?? unsaid
    const headers = said === undefined ? response : { ...response, 'cache-control': said.toLowerCase() }
    const policy = new this.#Policy(
      { method: 'GET', headers: request },
      { status: 200, headers: headers as Headers },
      { shared: false },
    )
    return { body, weight, policy, checkedAt: this.#now() }
  }

  /** `must-revalidate` is about stale documents only (RFC 9111 §5.2.2.2), so the policy is asked for its age and nothing else. */
  isFresh({ policy, checkedAt }: Kept): boolean {
    return !policy.stale() && this.#now() < checkedAt + LONGEST
  }

  /** The headers that ask whether the document has changed; undefined where it must be asked for anew. */
  validators({ policy }: Kept, request: Headers): Headers | undefined {
    const headers = policy.revalidationHeaders({ method: 'GET', headers: request })
    return headers['if-none-match'] || headers['if-modified-since'] ? headers : undefined
  }

  /** The same document after a 304. */
  confirm({ policy, ...received }: Kept, request: Headers, response: IncomingHttpHeaders): Kept {
    const confirmed = policy.revalidatedPolicy(
      { method: 'GET', headers: request },
      { status: 304, headers: response as Headers },
    )
    return { ...received, policy: confirmed.policy, checkedAt: this.#now() }
  }
}
