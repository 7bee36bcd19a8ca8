import type { IncomingMessage } from 'node:http'
import { isLocale, LONGEST_LOCALES, localesIn, MOST_LOCALES } from '../locales.js'
import { type Catalogues, type ChosenLanguage, chooseLanguage } from '../messages.js'
import type { Speech } from './request.js'

/** RFC 9110 §12.4.2 */
const WEIGHT = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i

/** In which language one request is answered. Most requests are answered without a word, so nothing is looked at before somebody asks. */
export class RequestSpeech implements Speech {
  readonly #catalogues: Catalogues
  readonly #req: IncomingMessage
  readonly #preferred: string[] = []
  #named: readonly string[] | undefined
  #accepted: readonly string[] | undefined
  #chosen: ChosenLanguage | undefined

  constructor(catalogues: Catalogues, req: IncomingMessage) {
    this.#catalogues = catalogues
    this.#req = req
  }

  prefer(languages: readonly string[]): void {
    if (languages.length === 0) return
    this.#preferred.unshift(...languages)
    this.#named = undefined
    this.#chosen = undefined
  }

  get named(): readonly string[] {
    this.#named ??= [...new Set([...this.#preferred, ...namedIn(this.#req)])].slice(0, MOST_LOCALES)
    return this.#named
  }

  get language(): string {
    return this.#choose().language
  }

  get tags(): readonly string[] {
    return this.#choose().tags
  }

  #choose(): ChosenLanguage {
    this.#accepted ??= accepted(this.#req.headers['accept-language'])
    this.#chosen ??= chooseLanguage(this.#catalogues, [...this.named, ...this.#accepted])
    return this.#chosen
  }
}

/** Where a form is posted, its query may name some too. */
function namedIn(req: IncomingMessage): readonly string[] {
  const { originalUrl = req.url ?? '' } = req as { originalUrl?: string }
  // Few requests name any, and the rest need not be taken apart.
  if (!originalUrl.includes('ui_locales=')) return []
  const [, query = ''] = originalUrl.split(/\?(.*)/s, 2)
  return localesIn(new URLSearchParams(query).get('ui_locales') ?? undefined)
}

/** The languages of the header Accept-Language, most wanted first (RFC 9110 §12.5.4). */
function accepted(header = ''): readonly string[] {
  return header
    .slice(0, LONGEST_LOCALES)
    .split(',', MOST_LOCALES)
    .map((range) => {
      const [tag = '', ...parameters] = range.split(';').map((part) => part.trim())
      return { tag, weight: weightIn(parameters) }
    })
    .filter(({ tag, weight }) => weight > 0 && isLocale(tag))
    .sort((a, b) => b.weight - a.weight)
    .map(({ tag }) => tag)
}

function weightIn(parameters: readonly string[]): number {
  const [given] = parameters.filter((parameter) => /^q=/i.test(parameter))
  return given === undefined ? 1 : Number(WEIGHT.exec(given)?.[1] ?? 0)
}
