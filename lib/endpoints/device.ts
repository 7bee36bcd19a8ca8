import { PageError } from '../errors.js'
import { type PageReply, redirect } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import type { Text } from '../text.js'
import { findUserCode, readUserCode } from '../tokens/user-code.js'
import { chosenScopes } from './consent-page.js'
import { approveDevice, denyDevice } from './device-answer.js'
import { askPage, donePage, enterPage } from './device-page.js'
import { type SignedInUser, signedInUser } from './user.js'
import { guess } from './user-code-limit.js'
import {
  devicePath,
  type Found,
  findDevice,
  noteShown,
  spokenPath,
  type WaitingDevice,
} from './waiting-device.js'

/** The page on which people connect a device: they enter the code that it shows, or come with it, and then decide (RFC 8628 §3.3). */
export async function showDevice(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const user = await signedInUser(runtime, request.host)
  const entered = enteredIn(request)
  if (user === undefined) return toLogin(runtime, request)
  if (entered === '') return enterPage(runtime, request, user)
  const code = readUserCode(entered)
  if (code === undefined) return nothingToDecide(runtime, request, user, undefined)
  // A foreign page, or one of a sibling domain, could have the codes that it likes tried, until the user is locked out: they have to send
  // this one themselves.
  if (request.crossOrigin) return enterPage(runtime, request, user, { entered: code })
  const found = await lookUp(runtime, request, user, code)
  if (found?.state !== 'waiting') return nothingToDecide(runtime, request, user, found)
  return ask(runtime, request, user, found)
}

/** A code that was entered, or what the user decided about one. */
export async function decideDevice(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const user = await signedInUser(runtime, request.host)
  const entered = enteredIn(request)
  if (user === undefined) return toLogin(runtime, request)
  if (entered === '') return refuse(runtime, request, user, 'user_code_missing')
  const found = await lookUp(runtime, request, user, readUserCode(entered))
  if (found?.state !== 'waiting') return nothingToDecide(runtime, request, user, found)
  const { parameters } = request
  const decision = parameters.get('decision')
  if (decision === undefined) return ask(runtime, request, user, found)
  if (!found.data.shownTo.includes(user.id)) {
    const notice = { key: 'device.notice.not_shown' }
    return ask(runtime, request, user, found, { notice })
  }
  if (decision === 'deny') await denyDevice(runtime, found, user)
  else if (decision === 'approve') {
    const scopes = chosenScopes(runtime, found.device, undefined, parameters.all('scope'))
    if (scopes === undefined) {
      const notice = { key: 'device.notice.choose_one' }
      return ask(runtime, request, user, found, { status: 400, notice })
    }
    await approveDevice(runtime, found, user, scopes)
  } else return ask(runtime, request, user, found, { status: 400, notice: { key: 'device.notice.choose' } })
  // Where it says what was decided, also after a reload, and also where somebody else was faster.
  return redirect(spokenPath(runtime.settings, request.speech, found.code))
}

/** csurf refused the form: nothing is looked up, and the page is shown again. */
export async function refuseDevice(runtime: Runtime, request: FormRequest): Promise<PageReply> {
  const user = await signedInUser(runtime, request.host)
  if (user === undefined) return toLogin(runtime, request)
  const notice = { key: 'device.notice.expired' }
  return enterPage(runtime, request, user, { status: 403, notice, entered: enteredIn(request) })
}

/** The answer to a code for which nothing is to be decided (any more). */
function nothingToDecide(
  runtime: Runtime,
  request: FormRequest,
  user: SignedInUser,
  found: Exclude<Found, { readonly state: 'waiting' }> | undefined,
): PageReply {
  if (found === undefined) {
    const possible = readUserCode(enteredIn(request)) !== undefined
    return refuse(runtime, request, user, possible ? 'user_code_unknown' : 'user_code_malformed')
  }
  if (found.state === 'client gone') throw clientGone()
  if (found.state === 'expired') return refuse(runtime, request, user, 'user_code_expired')
  if (found.trace.userId === user.id) return donePage(request, found)
  return refuse(runtime, request, user, 'user_code_used')
}

type Refusal =
  | 'user_code_missing'
  | 'user_code_malformed'
  | 'user_code_unknown'
  | 'user_code_expired'
  | 'user_code_used'

function refuse(runtime: Runtime, request: FormRequest, user: SignedInUser, reason: Refusal): PageReply {
  runtime.emit('request.refused', { endpoint: '/device', error: 'invalid_request', reason })
  const wrong = reason === 'user_code_malformed' || reason === 'user_code_unknown'
  const entered = wrong ? enteredIn(request) : ''
  const notice = { key: `device.notice.${reason}` }
  return enterPage(runtime, request, user, { status: 400, notice, entered })
}

/** Shows what a device asks for, and remembers whom it was shown to. */
async function ask(
  runtime: Runtime,
  request: FormRequest,
  user: SignedInUser,
  device: WaitingDevice,
  more: { readonly status?: number; readonly notice?: Text } = {},
): Promise<PageReply> {
  await noteShown(runtime.store, device, user.id)
  return askPage(runtime, request, user, device, more)
}

function clientGone(): PageError {
  return new PageError('invalid_request', { key: 'error.device_client_gone' }, { reason: 'client_unknown' })
}

function toLogin({ settings }: Runtime, request: FormRequest): PageReply {
  const path = devicePath(settings, readUserCode(enteredIn(request)))
  const { named } = request.speech
  return redirect(settings.loginUrl(request.host, path, named.length > 0 ? { uiLocales: named } : {}))
}

/** The code comes from the form, from the query of `verification_uri_complete`, or in the path, in which it has been at the login. */
function enteredIn({ parameters, id }: FormRequest): string {
  return parameters.get('user_code') ?? id
}

/** Looks a code up. Whoever has been shown it already has nothing to guess: their click is no guess, however often they have guessed wrong. */
async function lookUp(
  runtime: Runtime,
  from: FormRequest,
  { id: userId }: SignedInUser,
  code: string | undefined,
): Promise<Found | undefined> {
  const kept = code === undefined ? undefined : await findUserCode(runtime.store, code, runtime.now())
  const look = async () => kept && findDevice(runtime, kept, from)
  return kept?.data.shownTo.includes(userId) ? look() : guess(runtime, { userId, from }, look)
}
