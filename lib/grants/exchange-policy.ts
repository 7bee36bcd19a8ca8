import type { TokenExchangeRequest } from '../options.js'
import type { Settings } from '../settings.js'
import { describe } from '../validation.js'
import { refused } from './exchanged-token.js'

/** The scopes that the host's policy leaves of those that are asked for. What it throws is the host's own failure, and nothing is issued. */
export async function allowedScopes(
  { tokenExchange }: Settings,
  request: TokenExchangeRequest,
): Promise<readonly string[]> {
  // The lists that the policy gets are its own, to do with as it likes.
  const asked = [...request.scopes]
  const answer: unknown = await tokenExchange?.(request)
  const allowed = readAnswer(answer)
  const scopes = asked.filter((scope) => allowed === true || allowed.includes(scope))
  if (scopes.length > 0) return scopes
  throw refused(
    'This server does not allow this exchange. Ask for other scopes or resources, or have its operator allow it.',
    'exchange_refused',
  )
}

/** A policy that forgets to answer must not count as one that agrees, nor pass for one that says no. */
function readAnswer(answer: unknown): true | readonly unknown[] {
  if (typeof answer === 'boolean') return answer || []
  const { scopes } = (answer ?? {}) as { readonly scopes?: unknown }
  if (Array.isArray(scopes)) return scopes
  throw new TypeError(
    `oauthProvider: tokenExchange gave ${describe(answer)}. Give true, false or { scopes: ['...'] }.`,
  )
}
