import { type PageReply, page } from '../http/reply.js'
import type { FormRequest } from '../http/request.js'
import type { Runtime } from '../runtime.js'
import { shownAsked, shownClient } from './consent-page.js'
import type { SignedInUser } from './user.js'
import { type DecidedDevice, devicePath, type WaitingDevice } from './waiting-device.js'

/** How much of what was entered stands in the field again, in characters: enough for every slip. */
const LONGEST_SHOWN = 40

interface Again {
  readonly status?: number
  readonly notice?: string | undefined
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
  return page('device', 'Connect a device', locals, status)
}

/** The page that asks the user whether a device may have what it asks for. All of it, always: nothing says that it is the device of last time (RFC 8628 §5.4). */
export function askPage(
  runtime: Runtime,
  request: FormRequest,
  user: SignedInUser,
  { code, device, client }: WaitingDevice,
  { status, notice }: Again = {},
): PageReply {
  const locals = {
    ...formLocals(runtime, request, user, code),
    client: shownClient(client),
    clientHost: client.uri === undefined ? undefined : new URL(client.uri).host,
    ...shownAsked(runtime, request, device, undefined),
    userCode: code,
    notice,
  }
  return page('device-consent', `Connect ${client.name}`, locals, status)
}

export function donePage({ client, trace }: DecidedDevice): PageReply {
  const approved = trace.decision === 'approved'
  const title = approved ? `${client.name} is connected` : 'No access was given'
  return page('device-done', title, { approved, client: { name: client.name } })
}

function formLocals({ settings }: Runtime, request: FormRequest, user: SignedInUser, code?: string) {
  const { id, name, email } = user
  return {
    user: { id, name, email },
    switchUserUrl: settings.loginUrl(request.host, devicePath(settings, code), {}),
    action: devicePath(settings),
    csrfToken: request.csrfToken(),
  }
}
