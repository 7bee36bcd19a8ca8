import csurf from 'csurf'
import type { Request, Response } from 'express'
import type { Parameters } from '../parameters.js'
import { isCrossSite } from './cross-site.js'

/** Our part of the host's session. */
const SESSION_KEY = 'oauthProvider'

export interface Csrf {
  /** True only for a form that was posted from a page of ours, with the token of this session. */
  readonly accepted: boolean
  /** The token for the next form. A session that has none of ours yet is written to only now. */
  readonly token: () => string
}

/**
 * csurf in session mode. It gets to see neither the host's request nor its session but a stand-in, so that it reads the token from our
 * form alone, keeps its secret under our own key, and leaves a csurf of the host's untouched.
 */
const guard = csurf({ sessionKey: 'bag', value: (req) => (req as unknown as StandIn).token })

interface StandIn {
  readonly method: 'GET' | 'POST'
  readonly bag: object
  readonly token: string
  csrfToken?: () => string
}

/** Guards a form; undefined where the host has no session. */
export function checkCsrf(req: Request, parameters: Parameters): Csrf | undefined {
  const { session } = req as { session?: unknown } as { session?: Record<string, object> | null }
  if (session === undefined || session === null) return undefined
  const bag = session[SESSION_KEY]
  const posted = { method: 'POST', bag: bag ?? {}, token: parameters.get('_csrf') ?? '' } as const
  return {
    accepted: req.method === 'POST' && !isCrossSite(req) && bag !== undefined && passes(posted),
    token: () => {
      session[SESSION_KEY] ??= {}
      const shown: StandIn = { method: 'GET', bag: session[SESSION_KEY], token: '' }
      passes(shown)
      return shown.csrfToken?.() ?? ''
    },
  }
}

function passes(standIn: StandIn): boolean {
  let refusal: unknown
  guard(standIn as unknown as Request, {} as Response, (error?: unknown) => {
    refusal = error
  })
  return refusal === undefined
}
