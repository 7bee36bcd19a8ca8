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
import type { PageLocals } from '../options.js'
import { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import { addressOf } from './address.js'
import { readForm } from './body.js'
import { readBrowserCookies, setBrowserCookie } from './browser-cookie.js'
import { isCrossOrigin } from './cross-site.js'
import { checkCsrf } from './csrf.js'
import { type Page, type PageReply, page } from './reply.js'
import type { FormRequest, PageRequest } from './request.js'
import type { RenderPage } from './templates.js'

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

/** Answers browsers: with our own headers, whatever a helmet() of the host has set, and with 303 wherever they are sent on. */
export class PageWriter {
  readonly #settings: Settings
  readonly #emit: Emit
  readonly #template: RenderPage

  constructor(settings: Settings, emit: Emit, template: RenderPage) {
    this.#settings = settings
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
      const form: FormRequest = { ...request, csrfToken: csrf.token }
      if (req.method !== 'POST') return methods.GET(form)
      return csrf.accepted ? methods.POST(form) : methods.refused(form)
    })
  }

  #handler(where: Where, answer: (req: Request, request: PageRequest) => Promise<PageReply>): RequestHandler {
    return async (req, res, next) => {
      try {
        setHeaders(res)
        if (!METHODS.includes(req.method)) throw wrongMethod()
        const request = await this.#read(req, res, where)
        await this.#write(await answer(req, request), req, res)
      } catch (error) {
        await this.#fail(error, where, req, res, next)
      }
    }
  }

  async #read(req: Request, res: Response, { path }: Where): Promise<PageRequest> {
    // A query may hold further question marks (RFC 3986 §3.4).
    const [, query = ''] = req.originalUrl.split(/\?(.*)/s, 2)
    return {
      parameters: req.method === 'POST' ? await readForm(req) : Parameters.parse(query),
      id: path.endsWith('/:id') ? req.path.slice(req.path.lastIndexOf('/') + 1) : '',
      host: req,
      response: res,
      browsers: readBrowserCookies(req, this.#settings),
      address: addressOf(req),
      crossOrigin: isCrossOrigin(req),
    }
  }

  async #write(reply: PageReply, req: Request, res: Response): Promise<void> {
    // A function of the host's has answered by itself.
    if (res.headersSent) return
    if (reply.kind === 'page') return this.#render(reply, req, res)
    if (reply.browser !== undefined) setBrowserCookie(res, reply.browser, this.#settings)
    res.writeHead(303, { Location: reply.location, 'Content-Length': 0 }).end()
  }

  async #render({ page, status, title, locals }: Page, req: Request, res: Response): Promise<void> {
    const nonce = randomBytes(16).toString('base64')
    const { appName, mount, render } = this.#settings
    const all: PageLocals = { ...locals, title, nonce, appName, mount }
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
  async #fail(error: unknown, where: Where, req: Request, res: Response, next: NextFunction): Promise<void> {
    if (!(error instanceof OAuthError) && !(error instanceof StoreUnavailableError)) {
      return this.#handOver(error, where, res, next)
    }
    if (res.headersSent || res.destroyed) return
    const refusal = publicError(error)
    const reference = randomBytes(6).toString('hex')
    this.#tell(refusal, where, reference)
    for (const [name, value] of Object.entries(refusal.headers)) res.setHeader(name, value)
    try {
      await this.#render(errorPage(refusal, reference), req, res)
    } catch (cause) {
      this.#handOver(cause, where, res, next)
    }
  }

  /** What the host's own code threw, a page of its own included, goes to its error handler. */
  #handOver(error: unknown, { path }: Where, res: Response, next: NextFunction): void {
    this.#emit('server.error', { error, endpoint: path })
    if (!res.headersSent) res.statusCode = 500
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

function errorPage(refusal: OAuthError, reference: string): Page {
  const shown = refusal instanceof PageError ? refusal : undefined
  const heading =
    shown?.heading ?? (refusal.status >= 500 ? 'Something went wrong here' : 'This request cannot go on')
  const locals = {
    heading,
    message: refusal.message,
    hint: shown?.hint,
    details: shown?.details ?? [],
    next: shown?.next,
    code: refusal.code,
    reference,
  }
  return page('error', heading, locals, refusal.status === 401 ? 400 : refusal.status)
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

function setHeaders(res: Response): void {
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('Pragma', 'no-cache')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.setHeader('X-Frame-Options', 'DENY')
  res.setHeader('Referrer-Policy', 'no-referrer')
  res.setHeader('Content-Security-Policy', contentSecurityPolicy())
  // Clients that open us in a popup keep hold of it (helmet's same-origin would cut the tie).
  res.setHeader('Cross-Origin-Opener-Policy', 'unsafe-none')
  // Pages are for the person in front of them, whatever a cors() of the host has said.
  res.removeHeader('Access-Control-Allow-Origin')
  res.removeHeader('Access-Control-Allow-Credentials')
}

function wrongMethod(): OAuthError {
  return new OAuthError('invalid_request', 'This page cannot be asked for in this way.', {
    reason: 'method_not_allowed',
    status: 405,
    headers: { Allow: METHODS.join(', ') },
  })
}

function sessionMissing(): OAuthError {
  return new OAuthError('server_error', 'This page needs a session, and there is none.', {
    reason: 'session_missing',
    cause: new Error(
      'oauthProvider found no req.session. Mount express-session before the provider, app.use(session({ ... })), with a cookie whose path covers it.',
    ),
  })
}
