import type { Lifetimes } from './options.js'
import type { Profile } from './profile.js'
import { aNumber, anObject, refuseUnknown } from './validation.js'

const DAY = 86_400
const LIFETIMES: Lifetimes = {
  authorizationCode: 60,
  accessToken: 3600,
  refreshToken: 30 * DAY,
  refreshTokenTotal: 365 * DAY,
  idToken: 3600,
  deviceCode: 600,
  pushedRequest: 60,
  signingKey: 90 * DAY,
  request: 3600,
  refreshGrace: 10,
}

/** A hundred years: what is longer could not be told from a mistake, nor kept in a key. Seconds. */
export const LONGEST_LIFETIME = 36_500 * DAY

/** Whole seconds that something may live. */
export function aLifetime(option: string, value: number): number {
  return aNumber(option, value, { least: 1, most: LONGEST_LIFETIME })
}

export function resolveLifetimes(
  given: Partial<Lifetimes>,
  { longest }: Pick<Profile, 'longest'>,
): Lifetimes {
  refuseUnknown('lifetimes.', anObject('lifetimes', given), Object.keys(LIFETIMES))
  const lifetime = (name: keyof Lifetimes, range?: { least?: number; most?: number }) => {
    const { [name]: value = LIFETIMES[name] } = given
    return aNumber(`lifetimes.${name}`, value, { least: 1, most: LONGEST_LIFETIME, ...range })
  }
  return Object.freeze({
    authorizationCode: lifetime('authorizationCode', { most: longest.authorizationCode }),
    accessToken: lifetime('accessToken'),
    refreshToken: lifetime('refreshToken'),
    refreshTokenTotal: lifetime('refreshTokenTotal'),
    idToken: lifetime('idToken'),
    deviceCode: lifetime('deviceCode', { most: 900 }),
    pushedRequest: lifetime('pushedRequest', { least: 5, most: longest.pushedRequest }),
    signingKey: lifetime('signingKey', { least: 3600 }),
    request: lifetime('request'),
    refreshGrace: lifetime('refreshGrace', { least: 0 }),
  })
}
