import type { Request } from 'express'
import type { Emit } from '../events.js'
import type { Middleware } from '../middleware.js'
import type { Settings } from '../settings.js'
import { pagesHidingDetails } from './hidden-details.js'

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

  look(req: Request): void {
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

  #warn(code: string, message: string): void {
    this.#emit('warning', { code, message })
  }
}
