import { addressRule } from './addresses.js'
import { DocumentCache } from './cache.js'
import { checkedUrl, exchange, type Limits } from './exchange.js'
import { Freshness } from './freshness.js'
import { receiveJson } from './json.js'
import type { Outgoing } from './outgoing.js'

/** Some servers refuse who does not say its name. */
const NAME = { 'user-agent': 'express-oauth-provider' }
const REQUEST = {
  ...NAME,
  accept: 'application/json, application/*+json',
  'accept-encoding': 'identity',
}

export interface OutgoingOptions {
  /** The option of that name, checked. */
  readonly allowPrivateAddresses: boolean | readonly string[]
  /** Milliseconds since 1970; the cache lives by it, the time limit does not. */
  readonly now: () => number
  /** Milliseconds that a request may take from the look-up of the name to the last byte. Default: 5000, which the provider keeps to; tests do not wait for so long. */
  readonly timeLimit?: number
  /** The longest document, in bytes. Default: 65 536, which the provider keeps to. */
  readonly sizeLimit?: number
}

/** @throws ConfigurationError where `allowPrivateAddresses` names what is no address. */
export function createOutgoing(options: OutgoingOptions): Outgoing {
  const { allowPrivateAddresses, now, timeLimit = 5000, sizeLimit = 64 * 1024 } = options
  const limits: Limits = { rule: addressRule(allowPrivateAddresses), time: timeLimit }
  const http = allowPrivateAddresses !== false
  const freshness = new Freshness(now)
  const cache = new DocumentCache(now, freshness)

  return {
    async fetchJson(text, { fresh = false } = {}) {
      const url = checkedUrl(text, http)
      return cache.get(url.href, fresh, (kept) => {
        const validators = kept && freshness.validators(kept, REQUEST)
        const request = { method: 'GET', headers: validators ?? REQUEST } as const
        return exchange(url, request, limits, async (response) => {
          const { statusCode, headers } = response
          if (validators && statusCode === 304) return freshness.confirm(kept, REQUEST, headers)
          return freshness.keep(await receiveJson(response, sizeLimit), REQUEST, headers)
        })
      })
    },

    async postForm(text, form) {
      const body = new URLSearchParams(form).toString()
      const headers = {
        ...NAME,
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': Buffer.byteLength(body),
      }
      // What else it says is not read.
      return exchange(
        checkedUrl(text, http),
        { method: 'POST', headers, body },
        limits,
        ({ statusCode = 0 }) => statusCode,
      )
    },
  }
}
