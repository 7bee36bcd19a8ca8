import { randomBytes } from 'node:crypto'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import {
  failureBehind,
  OAuthError,
  PageError,
  publicError,
  StoreUnavailableError,
  toldOf,
} from '../errors.js'
import type { Emit } from '../events.js'
import { localesIn } from '../locales.js'
import type { PageLocals } from '../options.js'
import { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import { holdAddress } from './address.js'
import { readForm } from './body.js'
import { setBrowserCookie } from './browser-cookie.js'
import { BrowserRequest } from './browser-request.js'
import { checkCsrf } from './csrf.js'
import { errorPage, sessionMissing, wrongMethod } from './error-page.js'
import { RequestSpeech } from './languages.js'
import type { Page, PageReply } from './reply.js'
import type { FormRequest, PageRequest } from './request.js'
import type { RenderPage } from './templates.js'
import { type Texts, textsByLanguage } from './texts.js'

/** The methods that every page answers: the two of its own, and HEAD. */
const METHODS = ['GET', 'HEAD', 'POST']

/** The two methods of a page without a form. */
export interface PageMethods {
  readonly GET: (request: PageRequest) => Promise<PageReply>
  readonly POST: (request: PageRequest) => Promise<PageReply>
}

/** The methods of a page with a form. `refused` shows it again, with a fresh token and without acting, when csurf refused what was posted. */
export interface FormMethods {
  readonly GET: (request: FormRequest) => Promise<PageReply>
  readonly POST: (request: FormRequest) => Promise<PageReply>
  readonly refused: (request: FormRequest) => Promise<PageReply>
}

interface Where {
  readonly path: string
  /** Whether it is a step of an authorization request: its refusals are told as `authorization.refused`, all others as `request.refused`. */
  readonly authorizes: boolean
}

export interface PageRoute extends Where {
  readonly kind: 'page'
  readonly methods: PageMethods
}

export interface FormRoute extends Where {
  readonly kind: 'form'
  readonly methods: FormMethods
}

/** Who is answered, and in which language. */
interface Browser {
  readonly req: Request
  readonly res: Response
  readonly speech: RequestSpeech
  /** Whether our headers are on the answer. */
  hasHeaders: boolean
}

/** Answers browsers: with our own headers, whatever a helmet() of the host has set, and with 303 wherever they are sent on. */
export class PageWriter {
  readonly #settings: Settings
  readonly #emit: Emit
  readonly #template: RenderPage
  readonly #textsIn: (language: string) => Texts

  constructor(settings: Settings, emit: Emit, template: RenderPage) {
    this.#settings = settings
    this.#textsIn = textsByLanguage(settings.messages)
    this.#emit = emit
    this.#template = template
  }

  page({ methods, ...where }: PageRoute): RequestHandler {
    return this.#handler(where, (req, request) =>
      req.method === 'POST' ? methods.POST(request) : methods.GET(request),
    )
  }

  form({ methods, ...where }: FormRoute): RequestHandler {
    return this.#handler(where, (req, request) => {
      const csrf = checkCsrf(req, request.parameters)
      if (csrf === undefined) throw sessionMissing()
      const form = request.becomeForm(csrf.token)
      if (req.method !== 'POST') return methods.GET(form)
      return csrf.accepted ? methods.POST(form) : methods.refused(form)
    })
  }

  #handler(
    where: Where,
    answer: (req: Request, request: BrowserRequest) => Promise<PageReply>,
  ): RequestHandler {
    return async (req, res, next) => {
      const speech = new RequestSpeech(this.#settings.messages, req)
      const at: Browser = { req, res, speech, hasHeaders: false }
      holdAddress(req)
      // An authorization request is mostly answered by a redirect, which takes them along in one go.
      if (!where.authorizes) setHeaders(at)
      try {
        if (!METHODS.includes(req.method)) throw wrongMethod(METHODS)
        await this.#write(await answer(req, await this.#read(at, where)), at)
      } catch (error) {
        await this.#fail(error, where, at, next)
      }
    }
  }

  async #read(at: Browser, { path }: Where): Promise<BrowserRequest> {
    const { req, speech } = at
    const isPosted = req.method === 'POST'
    const parameters = isPosted ? await readForm(req) : Parameters.parse(queryOf(req))
    if (isPosted) speech.prefer(localesIn(parameters.get('ui_locales')))
    return new BrowserRequest(at, parameters, path, this.#settings)
  }

  async #write(reply: PageReply, at: Browser): Promise<void> {
    const { res } = at
    // A function of the host's has answered by itself.
    if (res.headersSent) return
    if (reply.kind === 'page') return this.#render(reply, at)
    if (reply.browser !== undefined) setBrowserCookie(res, reply.browser, this.#settings)
    refuseOtherOrigins(res)
    res.writeHead(303, Object.assign({ Location: reply.location, 'Content-Length': 0 }, HEADERS)).end()
  }

  async #render({ page, status, title, locals }: Page, at: Browser): Promise<void> {
    const { req, res, speech } = at
    const nonce = randomBytes(16).toString('base64')
    const { appName, mount, render } = this.#settings
    const texts = this.#textsIn(speech.language)
    const shown = { ...texts.resolve(locals), title: texts.of(title) }
    const all: PageLocals = { ...shown, ...texts.locals, nonce, appName, mount }
    setHeaders(at)
    res.setHeader('Content-Language', texts.locals.lang)
    res.statusCode = status
    res.setHeader('Content-Type', 'text/html; charset=utf-8')
    const posts = page === 'form-post'
    res.setHeader('Content-Security-Policy', contentSecurityPolicy(nonce, posts))
    // Browsers say `Origin: null` where there is no referrer, which clients that check it would refuse. The answer is not in the URL.
    if (posts) res.setHeader('Referrer-Policy', 'origin')
    const html = render ? await render(page, all, req, res) : this.#template(page, all)
    if (typeof html === 'string') res.end(html)
  }

  /** Refusals are shown, unless the answer has begun. */
  async #fail(error: unknown, where: Where, at: Browser, next: NextFunction): Promise<void> {
    const { res } = at
    if (!(error instanceof OAuthError) && !(error instanceof StoreUnavailableError)) {
      return this.#handOver(error, where, at, next)
    }
    if (res.headersSent || res.destroyed) return
    const refusal = publicError(error)
    const reference = randomBytes(6).toString('hex')
    this.#tell(refusal, where, reference)
    for (const [name, value] of Object.entries(refusal.headers)) res.setHeader(name, value)
    try {
      await this.#render(errorPage(refusal, reference, at.speech.language), at)
    } catch (cause) {
      this.#handOver(cause, where, at, next)
    }
  }

  /** What the host's own code threw, a page of its own included, goes to its error handler. */
  #handOver(error: unknown, { path }: Where, at: Browser, next: NextFunction): void {
    this.#emit('server.error', { error, endpoint: path })
    if (!at.res.headersSent) {
      setHeaders(at)
      at.res.statusCode = 500
    }
    next(error)
  }

  /** Tells the pattern of the route, not the path: that may hold the handle of a pending request. */
  #tell(refusal: OAuthError, { path, authorizes }: Where, reference: string): void {
    const failure = failureBehind(refusal)
    if (failure !== undefined) this.#emit('server.error', { error: failure, endpoint: path, reference })
    const told = { ...toldOf(refusal), reference }
    if (!authorizes) {
      this.#emit('request.refused', { endpoint: path, ...told })
      return
    }
    const clientId = refusal instanceof PageError ? refusal.clientId : undefined
    const client = clientId !== undefined && { clientId }
    this.#emit('authorization.refused', { ...client, ...told, redirected: false })
  }
}

/** It may hold further question marks (RFC 3986 §3.4). */
function queryOf({ originalUrl }: Request): string {
  const mark = originalUrl.indexOf('?')
  return mark < 0 ? '' : originalUrl.slice(mark + 1)
}

/**
 * No `form-action`: Chromium applies it to the redirect after the form, and approving would do nothing. No script, but for the one line
 * that posts an answer; no remote content, never inside a frame (RFC 9700 §4.16).
 */
function contentSecurityPolicy(nonce?: string, posts = false): string {
  return [
    "default-src 'none'",
    ...(posts ? [`script-src 'nonce-${nonce}'`] : []),
    nonce === undefined ? "style-src 'self'" : `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

const HEADERS = {
  'Cache-Control': 'no-store',
  Pragma: 'no-cache',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': contentSecurityPolicy(),
  // Clients that open us in a popup keep hold of it (helmet's same-origin would cut the tie).
  'Cross-Origin-Opener-Policy': 'unsafe-none',
}

/** Once, so that what a function of the host's says to the contrary stays. */
function setHeaders(at: Browser): void {
  if (at.hasHeaders) return
  at.hasHeaders = true
  for (const [name, value] of Object.entries(HEADERS)) at.res.setHeader(name, value)
  refuseOtherOrigins(at.res)
}

/** Pages are for the person in front of them, whatever a cors() of the host has said. */
function refuseOtherOrigins(res: Response): void {
  res.removeHeader('Access-Control-Allow-Origin')
  res.removeHeader('Access-Control-Allow-Credentials')
}
