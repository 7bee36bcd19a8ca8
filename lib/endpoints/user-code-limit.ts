import { PageError } from '../errors.js'
import { type From, networkOf } from '../network.js'
import type { Runtime } from '../runtime.js'
import { Tally } from '../tally.js'

/**
 * Wrong codes that one user may enter while a code lives: 5 of 20^8 are 2^-32 (RFC 8628 §5.1). Whoever reaches it is locked, also for a
 * right code that they have not been shown before, and nobody else is: the page asks for a login first, its form for a token, and a code to
 * which a foreign page leads is not looked up.
 */
const MOST_OF_USER = 5
/**
 * The same for one network, against one person with many accounts. An office, the gateway of a provider, or a proxy that Express does not
 * trust is one network too: so it is many more, and after them a user is still let in who has entered no wrong code. Nobody is locked out
 * by strangers alone.
 */
const MOST_OF_NETWORK = 50

/**
 * Looks a code up for somebody, and counts it where it is wrong. It counts as wrong beforehand, and is taken back where it was right: or
 * any number of guesses at once would be free.
 *
 * @throws PageError with status 429 where there have been too many.
 */
export async function guess<Found>(
  runtime: Runtime,
  { userId, from }: { readonly userId: string; readonly from: From },
  lookUp: () => Promise<Found | undefined>,
): Promise<Found | undefined> {
  const { deviceCode } = runtime.settings.lifetimes
  const user = new Tally(runtime, `user\0${userId}`, deviceCode)
  const network = new Tally(runtime, `network\0${networkOf(from.address)}`, deviceCode)
  const before = await user.add(MOST_OF_USER)
  if (before === undefined) throw tooMany(await user.wait(MOST_OF_USER))
  const wait = before === 0 ? 0 : await network.wait(MOST_OF_NETWORK)
  let wrong = false
  try {
    if (wait > 0) throw tooMany(wait)
    const found = await lookUp()
    wrong = found === undefined
    return found
  } finally {
    await (wrong ? network.add() : user.takeBack())
  }
}

/** `wait`: seconds. */
function tooMany(wait: number): PageError {
  return new PageError(
    'access_denied',
    { key: 'error.too_many_user_codes', values: { when: { inMinutes: Math.ceil(wait / 60) } } },
    {
      reason: 'too_many_user_codes',
      status: 429,
      headers: { 'Retry-After': String(Math.max(1, wait)) },
    },
  )
}
