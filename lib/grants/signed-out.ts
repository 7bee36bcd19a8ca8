import type { OAuthError } from '../errors.js'
import type { Runtime } from '../runtime.js'
import { type Authentication, sessionKey } from '../tokens/authentication.js'
import { invalidGrant } from './refusal.js'

/** Somebody who signed in to a client that may want to be told when that login ends. */
interface SignedIn {
  readonly clientId: string
  readonly userId: string
  readonly authentication: Authentication
  readonly endsWithLogin?: boolean | undefined
}

/**
 * Who has signed out while their tokens were on the way must not be signed in by them: the client has been told, and nobody would tell it
 * again. To be asked once before the code is used up, and once after, since they may do so in between.
 */
export async function hasSignedOut(
  { store }: Pick<Runtime, 'store'>,
  { clientId, userId, authentication, endsWithLogin }: SignedIn,
): Promise<boolean> {
  if (!endsWithLogin) return false
  return !(await store.hasSession(sessionKey(userId, authentication.session), clientId))
}

export function signedOut(): OAuthError {
  return invalidGrant('The user has signed out since. Start a new authorization.', 'signed_out')
}
