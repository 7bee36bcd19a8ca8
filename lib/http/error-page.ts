import { FALLBACK } from '../built-in-texts.js'
import { OAuthError, PageError } from '../errors.js'
import { type Page, page } from './reply.js'

/** A refusal as the person at the browser sees it. */
export function errorPage(refusal: OAuthError, reference: string, language: string): Page {
  const shown = refusal instanceof PageError ? refusal : untold(refusal, language)
  const { heading, message, hint, details, next } = {
    ...{ hint: undefined, next: undefined },
    ...shown,
    message: shown.text,
  }
  const locals = { heading, message, hint, details, next, code: refusal.code, reference }
  return page('error', heading, locals, refusal.status === 401 ? 400 : refusal.status)
}

/** What was written for clients: there is no more to it than that, and where it is in English alone, it says so to other readers. */
function untold({ status, text, message }: OAuthError, language: string) {
  const key = status >= 500 ? 'error.failed' : 'error.refused'
  const heading = { key: `${key}.heading` }
  if (text !== undefined) return { heading, text, details: [] }
  if (language === FALLBACK) return { heading, text: message, details: [] }
  const problem = { label: { key: 'error.label.problem' }, value: message }
  return { heading, text: { key: `${key}.message` }, details: [problem] }
}

export function wrongMethod(methods: readonly string[]): OAuthError {
  const text = { key: 'error.method_not_allowed.message' }
  const headers = { Allow: methods.join(', ') }
  return new OAuthError('invalid_request', text, { reason: 'method_not_allowed', status: 405, headers })
}

export function sessionMissing(): OAuthError {
  const text = { key: 'error.session_missing.message' }
  return new OAuthError('server_error', text, {
    reason: 'session_missing',
    cause: new Error(
      'oauthProvider found no req.session. Mount express-session before the provider, app.use(session({ ... })), with a cookie whose path covers it.',
    ),
  })
}
