import { randomBytes } from 'node:crypto'
import { readDeviceRequest } from '../authorization/device-request.js'
import { readAuthorizationRequest } from '../authorization/request.js'
import { kindOf } from '../clients/own-clients.js'
import { OAuthError } from '../errors.js'
import { type PageReply, redirect } from '../http/reply.js'
import { Parameters } from '../parameters.js'
import type { Client } from '../store/records.js'
import { type CodeData, codeData, codeExpiry } from '../tokens/code.js'
import { findByHandle } from '../tokens/find.js'
import { expiryOf, mintHandle } from '../tokens/handle.js'
import { knownContent } from '../tokens/record-content.js'
import { applicationPage, trialPage } from './application-page.js'
import { proceed } from './authorize.js'
import { applicationPath, type Developer } from './developers.js'
import { newDeviceCodes } from './device-authorization.js'
import { trialUri } from './trial-uri.js'
import { devicePath } from './waiting-device.js'

/**
 * Begins a real authorization request of the application, in the browser of its developer, who sees what a user would see. It is answered here and
 * not at the application, which did not begin it and could not tell it from a forged one. The code that comes of it opens nothing: nobody has the
 * verifier of its challenge. A device goes the way that its users go, with codes that nobody polls for.
 */
export async function tryApplication(developer: Developer, client: Client): Promise<PageReply> {
  const { runtime, request } = developer
  const { settings, now } = runtime
  const scope = client.scopes === undefined ? {} : { scope: client.scopes.join(' ') }
  try {
    if (kindOf(client) === 'device') {
      const asked = readDeviceRequest(parametersOf(scope), client, settings)
      const { userCode } = await newDeviceCodes(runtime, asked)
      return redirect(devicePath(settings, userCode))
    }
    const redirectUri = trialUri(settings, client.id)
    const parameters = parametersOf({
      ...{ ...scope, response_type: 'code', prompt: 'consent', redirect_uri: redirectUri },
      ...{ code_challenge: randomBytes(32).toString('base64url'), code_challenge_method: 'S256' },
    })
    const target = { redirectUri, responseMode: 'query', state: await keepTrial(developer, client) } as const
    const asked = readAuthorizationRequest(parameters, client, target, settings, now())
    return await proceed(runtime, request, client, asked, undefined)
  } catch (error) {
    if (!(error instanceof OAuthError) || error.status >= 500) throw error
    const notice = { key: 'applications.try_refused' }
    return applicationPage(developer, client, { notice, refusal: error.message, status: 400 })
  }
}

/** Whether the browser comes back from a trial. */
export function isTrialAnswer(parameters: Parameters): boolean {
  return parameters.get('code') !== undefined || parameters.get('error') !== undefined
}

/** What came back. Only what the trial of this `state` has brought is shown, once: anybody could lead a developer here with words of their own. */
export async function showTrial(developer: Developer, client: Client): Promise<PageReply> {
  const { request, runtime } = developer
  const { parameters } = request
  if (!(await endTrial(developer, client, parameters.get('state') ?? '')))
    return redirect(applicationPath(runtime.settings, client.id))
  const [redirectUri = ''] = client.redirectUris
  const answer = (...names: string[]) =>
    names.map((name) => ({ name, value: parameters.get(name)?.slice(0, LONGEST) ?? '' }))
  const code = await usedUp(developer, client, parameters.get('code') ?? '')
  if (code !== undefined) {
    const scopes = code.scopes.map((name) => ({
      name,
      description: runtime.settings.scopes.get(name)?.description ?? name,
    }))
    return trialPage(developer, client, { answer: answer('code', 'state', 'iss'), redirectUri, scopes })
  }
  if (parameters.get('error') !== 'access_denied')
    return redirect(applicationPath(runtime.settings, client.id))
  return trialPage(developer, client, {
    answer: answer('error', 'state', 'iss'),
    ...{ redirectUri, scopes: undefined },
  })
}

/** Of what a trial is. It waits beside its request, and is no request itself: no browser is the one that began it. */
interface Trial {
  readonly browser: ''
  readonly clientId: string
  readonly userId: string
}

/** The `state` of a new trial: whoever comes back with it comes from there. */
async function keepTrial({ runtime, user }: Developer, client: Client): Promise<string> {
  const { store, settings, now } = runtime
  const { value, id, hash } = mintHandle(now() + settings.lifetimes.request * 1000)
  const trial: Trial = { browser: '', clientId: client.id, userId: user.id }
  await store.insert([{ id, kind: 'request', hash, data: JSON.stringify(trial) }])
  return value
}

/** Whether this is the `state` of a trial of this developer, and comes for the first time. */
async function endTrial(
  { runtime: { store, now }, user }: Developer,
  client: Client,
  state: string,
): Promise<boolean> {
  const record = await findByHandle(store, 'request', state)
  if (record === undefined || expiryOf(record.id) <= now()) return false
  const { browser, clientId, userId }: Partial<Trial> = knownContent(record)
  if (browser !== '' || clientId !== client.id || userId !== user.id) return false
  return (await store.consume(record.id, { now: now() }, [])).won
}

/** What the code of a trial of this developer stands for, the first time that it comes. It is worth nothing from then on. */
async function usedUp(
  { runtime: { store, settings, now }, user }: Developer,
  client: Client,
  value: string,
): Promise<CodeData | undefined> {
  const record = await findByHandle(store, 'code', value)
  if (record === undefined || !record.alive || codeExpiry(record) <= now()) return undefined
  const code = codeData(record)
  const isOfTrial = code.redirectUri === trialUri(settings, client.id) && code.clientId === client.id
  if (!isOfTrial || code.userId !== user.id) return undefined
  return (await store.consume(record.id, { now: now() }, [])).won ? code : undefined
}

/** Characters of each parameter that are shown. */
const LONGEST = 200

function parametersOf(given: Readonly<Record<string, string>>): Parameters {
  return Parameters.fromParsed(given)
}
