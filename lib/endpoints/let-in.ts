import type { OAuthError } from '../errors.js'
import type { ProviderEvents } from '../events.js'
import { type PageReply, redirect } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { HostUser } from '../options.js'
import type { Runtime } from '../runtime.js'
import { foundLogin } from './user.js'

/** Pages for some of the users, of whom the host says who they are. */
export interface Gate {
  /** Whether this user is one of them, as the option answers it; a promise of it too. */
  readonly asked: (runtime: Runtime, user: HostUser) => unknown
  /** Where whoever is signed out comes back to from the login. */
  readonly returnPath: (runtime: Runtime, request: FormRequest) => string
  readonly refusal: () => OAuthError
  /** What the host is told where its answer is no boolean. */
  readonly notBoolean: ProviderEvents['warning'][0]
}

/** Asks the host at every request; whoever is signed out goes to the login. `answer` gets the id of the user who is let in. */
export async function letIn(
  runtime: Runtime,
  request: FormRequest,
  { asked, returnPath, refusal, notBoolean }: Gate,
  answer: (userId: string) => Promise<PageReply>,
): Promise<PageReply> {
  const found = await foundLogin(runtime, request.host)
  if (found === undefined)
    return redirect(runtime.settings.loginUrl(request.host, returnPath(runtime, request), {}))
  const answered: unknown = await asked(runtime, found.user)
  // A list of roles that has none, or a promise of a promise, is truthy too.
  if (answered === true) return answer(found.login.userId)
  if (typeof answered !== 'boolean') runtime.emit('warning', notBoolean)
  throw refusal()
}
