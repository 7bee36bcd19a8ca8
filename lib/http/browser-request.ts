import type { Request, Response } from 'express'
import type { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import { addressOf } from './address.js'
import { readBrowserCookies } from './browser-cookie.js'
import { isCrossOrigin } from './cross-site.js'
import type { RequestSpeech } from './languages.js'
import { idIn } from './path-id.js'
import type { FormRequest, PageRequest } from './request.js'

/** Works nothing out before it is asked for: most requests are answered without most of it. */
export class BrowserRequest implements PageRequest {
  readonly host: Request
  readonly response: Response
  readonly parameters: Parameters
  readonly speech: RequestSpeech
  readonly #path: string
  readonly #settings: Settings

  /** `path`: the pattern of the route. */
  constructor(
    { req, res, speech }: Pick<BrowserRequest, 'speech'> & { readonly req: Request; readonly res: Response },
    parameters: Parameters,
    path: string,
    settings: Settings,
  ) {
    this.host = req
    this.response = res
    this.parameters = parameters
    this.speech = speech
    this.#path = path
    this.#settings = settings
  }

  get id(): string {
    return this.#path.endsWith('/:id') ? idIn(this.host) : ''
  }

  get browsers(): readonly string[] {
    return readBrowserCookies(this.host, this.#settings)
  }

  get address(): string {
    return addressOf(this.host)
  }

  get crossOrigin(): boolean {
    return isCrossOrigin(this.host)
  }

  /** From now on it is one with a form. */
  becomeForm(csrfToken: () => string): FormRequest {
    return Object.assign(this, { csrfToken })
  }
}
