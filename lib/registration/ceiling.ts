import type { RegistrationSettings } from '../client-sources.js'
import { OAuthError } from '../errors.js'
import { networkOf } from '../network.js'
import type { Runtime } from '../runtime.js'
import { Tally } from '../tally.js'

/** Seconds. */
const SPAN = 60
/** The part of all registrations that one network may have, or one could shut out all others. */
const PART = 4
/** What a network may have at least: an office, or a proxy that Express does not trust, is one too. */
const LEAST_OF_NETWORK = 5
/** Changes that a client makes to itself. It has proven who it is, so it takes nothing from others. */
const MOST_CHANGES = 10

/** Counts what is about to be done. Called again for the same, it counts nothing. */
export type Count = () => Promise<void>

/**
 * Counts one client that registers, in every process on the store: with those of its network, and with all, since strangers come from many
 * addresses and every one of them fills the same table. The count throws OAuthError with status 429; RFC 7591 has no code for it.
 */
export function registrationCount(
  runtime: Runtime,
  { perMinute }: Pick<RegistrationSettings, 'perMinute'>,
  address: string,
): Count {
  return once(async () => {
    const all = new Tally(runtime, 'registration', SPAN)
    // Nothing is written for whoever comes while it is full: networks can be had in any number.
    const wait = await all.wait(perMinute)
    if (wait > 0) throw tooMany('clients have registered', wait)
    const network = new Tally(runtime, `registration\0${networkOf(address)}`, SPAN)
    const share = Math.max(LEAST_OF_NETWORK, Math.floor(perMinute / PART))
    if ((await network.add(share)) === undefined)
      throw tooMany('clients of your network have registered', await network.wait(share))
    if ((await all.add(perMinute)) !== undefined) return
    await network.takeBack()
    throw tooMany('clients have registered', await all.wait(perMinute))
  })
}

/** Counts one change that a client makes to itself. */
export function changeCount(runtime: Runtime, clientId: string): Count {
  return once(async () => {
    const own = new Tally(runtime, `registration\0change\0${clientId}`, SPAN)
    if ((await own.add(MOST_CHANGES)) === undefined)
      throw tooMany('changes have been made', await own.wait(MOST_CHANGES))
  })
}

/** `wait`: seconds. */
function tooMany(what: string, wait: number): OAuthError {
  const seconds = Math.max(1, wait)
  return new OAuthError(
    'temporarily_unavailable',
    `Too many ${what} just now. Try again in ${seconds} seconds.`,
    { reason: 'too_many_registrations', status: 429, headers: { 'Retry-After': String(seconds) } },
  )
}

function once(count: Count): Count {
  let counted: Promise<void> | undefined
  return () => {
    counted ??= count()
    return counted
  }
}
