import { isDeepStrictEqual } from 'node:util'
import type { AuthorizationDetail } from '../options.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { invalidDetails, readDetails } from './details-text.js'

type Details = readonly AuthorizationDetail[]
type DetailsSettings = Pick<Settings, 'authorizationDetails' | 'resources'>

/** The types of details that this client may ask for (RFC 9396 §10). */
function detailsTypesOf(
  client: Client,
  { authorizationDetails }: Pick<Settings, 'authorizationDetails'>,
): readonly string[] {
  return [...authorizationDetails.keys()].filter(
    (type) => client.authorizationDetailsTypes?.includes(type) ?? true,
  )
}

/**
 * The details that a request asks for (RFC 9396 §2, §3). All of them are as their types want them and available to this client at these
 * resources, or none is taken: other than a scope, what is left of a payment when a part is dropped is another payment.
 *
 * @throws OAuthError `invalid_authorization_details`
 */
export function requestedDetails(
  text: string | undefined,
  client: Client,
  resources: readonly string[],
  settings: DetailsSettings,
): Details | undefined {
  if (text === undefined) return undefined
  const details = readDetails(text)
  for (const [index, detail] of details.entries()) {
    const name = `authorization_details[${index}]`
    const flaw = flawOfType(detail.type, client, resources, settings)
    if (flaw !== undefined) {
      const [problem, reason] = flaw
      throw invalidDetails(`The type of ${name} ${problem}. ${offer(client, resources, settings)}`, reason)
    }
    const problem = settings.authorizationDetails.get(detail.type)?.problem(detail)
    if (problem !== undefined) throw invalidDetails(`${name}${problem}.`, 'details_do_not_fit')
  }
  return details
}

/** Where the host declares no type, none is known: RFC 9396 §5 has only one answer to that. */
function flawOfType(
  type: string,
  client: Client,
  resources: readonly string[],
  settings: DetailsSettings,
): readonly [problem: string, reason: string] | undefined {
  if (!settings.authorizationDetails.has(type)) return ['is not known', 'details_type_unknown']
  if (!detailsTypesOf(client, settings).includes(type))
    return ['is not one that this client may ask for', 'details_type_not_registered']
  if (meansSomething(type, resources, settings)) return undefined
  return ['means nothing at the resources of this request', 'details_type_elsewhere']
}

function offer(client: Client, resources: readonly string[], settings: DetailsSettings): string {
  const types = detailsTypesOf(client, settings).filter((type) => meansSomething(type, resources, settings))
  if (types.length === 0) return 'This client may not ask for details here.'
  return `This client may ask for these types here: ${types.join(' ')}`
}

/** Of details, those that mean something at these resources (RFC 9396 §9.1); undefined where none does. */
export function detailsAt(
  details: Details | undefined,
  resources: readonly string[],
  settings: Pick<Settings, 'resources'>,
): Details | undefined {
  return some(details?.filter(({ type }) => meansSomething(type, resources, settings)))
}

/** Of what was granted, what the host still declares and the client may still ask for; undefined where nothing is left. */
export function detailsStillAllowed(
  granted: Details | undefined,
  client: Client,
  settings: Pick<Settings, 'authorizationDetails'>,
): Details | undefined {
  const allowed = detailsTypesOf(client, settings)
  return some(granted?.filter(({ type }) => allowed.includes(type)))
}

/**
 * Of what was granted, the part that a token request names; all of it where it names none (RFC 9396 §6). Each detail has to be one that
 * was granted, as it was: what else would be less than it, only its API can tell (§6.1).
 *
 * @throws OAuthError `invalid_authorization_details`
 */
export function narrowedDetails(text: string | undefined, granted: Details | undefined): Details | undefined {
  if (text === undefined) return granted
  const found = findEach(readDetails(text), granted ?? [])
  const missing = found.indexOf(undefined)
  if (missing === -1) return found.filter((detail) => detail !== undefined)
  throw invalidDetails(
    `authorization_details[${missing}] is not among what was granted for this resource. Name details as they were granted, or leave them out to get all.`,
    'details_not_granted',
  )
}

/** Whether two lists hold the same, in whatever order. */
export function sameDetails(one: Details = [], other: Details = []): boolean {
  return one.length === other.length && !findEach(one, other).includes(undefined)
}

/** For each detail its equal in another list, where it is there as often. */
function findEach(details: Details, others: Details): readonly (AuthorizationDetail | undefined)[] {
  const left = [...others]
  return details.map((detail) => {
    const index = left.findIndex((other) => isDeepStrictEqual(other, detail))
    return index === -1 ? undefined : left.splice(index, 1)[0]
  })
}

function meansSomething(
  type: string,
  resources: readonly string[],
  settings: Pick<Settings, 'resources'>,
): boolean {
  return resources.some(
    (resource) => settings.resources.get(resource)?.authorizationDetailsTypes?.includes(type) ?? true,
  )
}

function some(details: Details | undefined): Details | undefined {
  return details !== undefined && details.length > 0 ? details : undefined
}
