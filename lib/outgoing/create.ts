import { addressRule } from './addresses.js'
import { DocumentCache } from './cache.js'
import { checkedUrl, exchange, type Limits } from './exchange.js'
import { Freshness, type Kept } from './freshness.js'
import { type Form, receiveJson } from './json.js'
import type { Outgoing } from './outgoing.js'
import { QuestionLimit } from './question-limit.js'

/** Some servers refuse who does not say its name. */
const NAME = { 'user-agent': 'express-oauth-provider' }
const REQUEST = {
  ...NAME,
  accept: 'application/json, application/*+json',
  'accept-encoding': 'identity',
}

/** Whoever writes a document tries it, again and again; who asks how often is counted elsewhere. */
const DOCUMENT_PACE = { times: 200, in: 60_000 }
/** Questions to one host in a minute, whatever their URLs: whoever registers many of them makes us ask them all. Those of strangers are counted apart. */
const MOST_TO_HOST = 300

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
  // Apart from each other: what is good enough as a key set may be no client metadata document.
  const documents = new DocumentCache(now, freshness, DOCUMENT_PACE)
  const toHost = new QuestionLimit(MOST_TO_HOST, now)
  const toHostOfStrangers = new QuestionLimit(MOST_TO_HOST, now)

  const ask = (url: URL, kept: Kept | undefined, form: Form, stranger: boolean) => {
    const validators = kept && freshness.validators(kept, REQUEST)
    const request = { method: 'GET', headers: validators ?? REQUEST, stranger } as const
    return exchange(url, request, limits, async (response) => {
      const { statusCode, headers } = response
      if (validators && statusCode === 304) return freshness.confirm(kept, REQUEST, headers)
      return freshness.keep(await receiveJson(response, form), REQUEST, headers)
    })
  }

  return {
    async fetchJson(text, { fresh = false, stranger = false } = {}) {
      const url = checkedUrl(text, http)
      const admit = () => (stranger ? toHostOfStrangers : toHost).admit(url.hostname)
      const form = { size: sizeLimit, declared: false }
      return cache.get(url.href, { fresh, admit }, (kept) => ask(url, kept, form, stranger))
    },

    async fetchDocument(text, { sizeLimit, admit, check, fresh = false, stranger = false }) {
      const url = checkedUrl(text, false)
      const form = { size: sizeLimit, declared: true }
      return documents.get(url.href, { fresh, admit }, async (kept) => {
        const answered = await ask(url, kept, form, stranger)
        await check(answered.body)
        return answered
      })
    },

    async postForm(text, form, { stranger = false } = {}) {
      const body = new URLSearchParams(form).toString()
      const headers = {
        ...NAME,
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': Buffer.byteLength(body),
      }
      // What else it says is not read.
      return exchange(
        checkedUrl(text, http),
        { method: 'POST', headers, body, stranger },
        limits,
        ({ statusCode = 0 }) => statusCode,
      )
    },
  }
}
