import { type PageReply, page } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import type { Text } from '../text.js'
import { shownAsked } from './consent-page.js'
import { type ShownClient, shownClient } from './shown-client.js'
import type { SignedInUser } from './user.js'
import { type DecidedDevice, devicePath, spokenPath, type WaitingDevice } from './waiting-device.js'

/** How much of what was entered stands in the field again, in characters: enough for every slip. */
const LONGEST_SHOWN = 40

interface Again {
  readonly status?: number
  readonly notice?: Text | undefined
}

/** The form for the code; `entered` stands in it already. */
export function enterPage(
  runtime: Runtime,
  request: FormRequest,
  user: SignedInUser,
  { status, notice, entered = '' }: Again & { readonly entered?: string | undefined } = {},
): PageReply {
  const locals = {
    ...formLocals(runtime, request, user),
    userCode: entered.slice(0, LONGEST_SHOWN),
    notice,
  }
  return page('device', { key: 'device.title' }, locals, status)
}

/** The page that asks the user whether a device may have what it asks for. All of it, always: nothing says that it is the device of last time (RFC 8628 §5.4). */
export function askPage(
  runtime: Runtime,
  request: FormRequest,
  user: SignedInUser,
  { code, device, client }: WaitingDevice,
  { status, notice }: Again = {},
): PageReply {
  const shown = shownClient(client, request.speech.tags)
  const locals = {
    ...formLocals(runtime, request, user, code),
    client: shown,
    clientHost: knownHost(client, shown),
    ...shownAsked(runtime, request, device, undefined),
    userCode: code,
    notice,
  }
  return page('device-consent', { key: 'device.ask_title', values: { client: shown.name } }, locals, status)
}

/** Where its maker is at home; of a client for which nobody vouches that would be what it says itself. */
function knownHost({ uri }: Client, { standing }: ShownClient): string | undefined {
  if (uri === undefined || (standing !== 'registered' && standing !== 'verified')) return undefined
  return new URL(uri).host
}

export function donePage({ speech }: FormRequest, { client, clientId, trace }: DecidedDevice): PageReply {
  const name = client === undefined ? clientId : shownClient(client, speech.tags).name
  const approved = trace.decision === 'approved'
  const title = approved
    ? { key: 'device.done_title', values: { client: name } }
    : { key: 'device.denied_title' }
  return page('device-done', title, { approved, client: { name } })
}

function formLocals({ settings }: Runtime, request: FormRequest, user: SignedInUser, code?: string) {
  const { id, name, email } = user
  return {
    user: { id, name, email },
    switchUserUrl: settings.loginUrl(request.host, devicePath(settings, code), {}),
    action: spokenPath(settings, request.speech),
    csrfToken: request.csrfToken(),
  }
}
