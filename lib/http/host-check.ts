import type { Request } from 'express'
import type { Emit } from '../events.js'
import type { Middleware } from '../middleware.js'
import type { Settings } from '../settings.js'
import { defaultCurrentUser } from '../users.js'
import { pagesHidingDetails } from './hidden-details.js'

/** The session of the host, and its cookie as express-session and cookie-session have it. */
interface HostSession {
  readonly session?: { readonly cookie?: SessionCookie } | null
  readonly sessionOptions?: SessionCookie
}

interface SessionCookie {
  readonly secure?: unknown
  readonly sameSite?: unknown
}

/** Looks at the settings, and at requests, for what the host has set up in a way that cannot work, and says each thing once, with its cure. */
export class HostCheck {
  readonly #settings: Settings
  readonly #emit: Emit
  #mountChecked = false
  #csrfSeen = false
  #wellKnownTaken = false

  constructor(settings: Settings, emit: Emit) {
    this.#settings = settings
    this.#emit = emit
  }

  /** RFC 9396 §3.1: users see what they approve. With `render` only the host knows what that is. */
  checkPages(): void {
    const { authorizationDetails, templates, render } = this.#settings
    if (authorizationDetails.size === 0 || templates === undefined || render !== undefined) return
    const names = pagesHidingDetails(templates)
    if (names.length === 0) return
    // Once the host has had the time to listen.
    process.nextTick(() =>
      this.#warn(
        'consent_without_details',
        `Your ${names.join(' and ')} in the folder ${templates} would have users approve authorization_details that they cannot see. Show the local authorizationDetails there, each by its description; or <%- include('asked') %> as the built-in page does.`,
      ),
    )
  }

  /** `path`: below the mount. */
  look(req: Request, path: string): void {
    if (!this.#mountChecked) {
      this.#mountChecked = true
      this.#checkMount(req.baseUrl)
    }
    if (!this.#csrfSeen && typeof (req as { csrfToken?: unknown }).csrfToken === 'function') {
      this.#csrfSeen = true
      const { mount } = this.#settings
      this.#warn(
        'csrf_before_provider',
        `A CSRF middleware of yours runs before the provider. It refuses POST ${mount}/token and the consent form with 403, since they have no token of yours. Mount the provider between the session and it: app.use('${mount || '/'}', oauth) before app.use(csurf()). The provider guards its own forms.`,
      )
    }
    if (path === '/authorize') this.#checkSession(req)
  }

  /** The host takes the handler for its root, and will mount it. */
  taken(wellKnown: Middleware): Middleware {
    this.#wellKnownTaken = true
    return wellKnown
  }

  /** A challenge of `requireToken` names a document that only that handler serves. */
  challenged(): void {
    if (this.#wellKnownTaken) return
    this.#warn(
      'well_known_missing',
      'requireToken has told a client where the metadata of your API lies, and nothing serves it: add app.use(oauth.wellKnown) at the root of your app.',
    )
  }

  #checkMount(baseUrl: string): void {
    const { mount, issuer } = this.#settings
    if (baseUrl === mount) return
    this.#warn(
      'mount_differs_from_issuer',
      `The router is mounted at '${baseUrl || '/'}', but the path of the issuer ${issuer} is '${mount || '/'}'. Mount it there: app.use('${mount || '/'}', oauth). If a proxy strips the path on the way, all is well.`,
    )
  }

  /** What keeps users from being known when they come back from the login, which would send them round. */
  #checkSession(req: Request): void {
    const { currentUser, mount, issuer } = this.#settings
    const { session, sessionOptions } = req as HostSession
    if (session === undefined || session === null) {
      // Where users are known by something else, the page with the form is the first to need one, and says so.
      if (currentUser !== defaultCurrentUser) return
      this.#warn(
        'session_missing',
        `A browser came to ${mount}/authorize, and there is no req.session: nobody counts as signed in, and nobody can approve. Mount your session middleware before the provider: app.use(session({ ... })) before app.use('${mount || '/'}', oauth). If it is there already, the path of its cookie does not cover ${mount || '/'}, or its store is out of reach.`,
      )
      return
    }
    const { secure, sameSite } = session.cookie ?? sessionOptions ?? {}
    if (secure === true && !req.secure)
      this.#warn(
        'session_cookie_unset',
        `Your session cookie is Secure, and Express takes the requests of browsers for http: then the cookie is not set, and nobody stays signed in. ${issuer.startsWith('https:') ? "Behind a proxy that ends TLS: app.set('trust proxy', 1), and let the proxy send X-Forwarded-Proto." : "The issuer is http, so leave secure out, or let the scheme decide: session({ cookie: { secure: 'auto' } })."}`,
      )
    if (sameSite === true || sameSite === 'strict')
      this.#warn(
        'session_cookie_strict',
        `Your session cookie is SameSite=Strict: browsers leave it out when the site of a client sends them to ${mount}/authorize, so users who are signed in have to sign in again, each time. Set sameSite to lax: session({ cookie: { sameSite: 'lax' } }).`,
      )
  }

  #warn(code: string, message: string): void {
    this.#emit('warning', { code, message })
  }
}
