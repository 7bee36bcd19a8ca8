import csurf from 'csurf'
import type { Request, Response } from 'express'
import type { Parameters } from '../parameters.js'

/** Our part of the host's session. */
const SESSION_KEY = 'oauthProvider'

export interface CsrfResult {
  readonly token: string
  /** False where the form came without the token of this session. */
  readonly accepted: boolean
}

/**
 * csurf in session mode. It gets to see neither the host's request nor its session but a stand-in, so that it reads the token from our
 * form alone, keeps its secret under our own key, and leaves a csurf of the host's untouched.
 */
const guard = csurf({ sessionKey: 'bag', value: (req) => (req as unknown as StandIn).token })

interface StandIn {
  readonly method: string
  readonly bag: object
  readonly token: string
  csrfToken?: () => string
}

/** Checks a form that was posted, and gives the token for the next one. Undefined where the host has no session. */
export function checkCsrf(req: Request, parameters: Parameters): CsrfResult | undefined {
  const { session } = req as { session?: unknown } as { session?: Record<string, object> | null }
  if (session === undefined || session === null) return undefined
  session[SESSION_KEY] ??= {}
  const standIn: StandIn = {
    method: req.method,
    bag: session[SESSION_KEY],
    token: parameters.get('_csrf') ?? '',
  }
  let refusal: unknown
  guard(standIn as unknown as Request, {} as Response, (error?: unknown) => {
    refusal = error
  })
  // Our forms are only ever sent from our own pages.
  const crossSite = req.headers['sec-fetch-site'] === 'cross-site'
  const posted = req.method === 'POST'
  return { token: standIn.csrfToken?.() ?? '', accepted: posted && refusal === undefined && !crossSite }
}
