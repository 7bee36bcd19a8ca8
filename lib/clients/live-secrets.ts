import { optional } from '../optional.js'
import type { Client, ClientSecret } from '../store/records.js'

/** A client's secret, and the one before it, which may be good for some time more. */
export type Secrets = Pick<Client, 'secret' | 'previousSecret'>

/** Them alone, of whatever has them. */
export function secretsOf({ secret, previousSecret }: Secrets): Secrets {
  return { ...optional('secret', secret), ...optional('previousSecret', previousSecret) }
}

/** What counts now, the newest first. */
export function liveSecrets({ secret, previousSecret }: Secrets, now: number): readonly ClientSecret[] {
  if (secret === undefined) return []
  return isLive(previousSecret, now) ? [secret, previousSecret.secret] : [secret]
}

/** `overlap`: for how many milliseconds the one that it takes the place of counts still. What was before that one ends. */
export function replaced({ secret }: Secrets, next: ClientSecret, overlap: number, now: number): Secrets {
  if (secret === undefined || overlap === 0) return { secret: next }
  return { secret: next, previousSecret: { secret, expiresAt: now + overlap } }
}

/** The same without a secret that has ended. */
export function withoutExpired<Holder extends Secrets>(
  { previousSecret, ...others }: Holder,
  now: number,
): Omit<Holder, 'previousSecret'> & Pick<Secrets, 'previousSecret'> {
  return { ...others, ...(isLive(previousSecret, now) && { previousSecret }) }
}

function isLive<Previous extends { readonly expiresAt: number }>(
  previous: Previous | undefined,
  now: number,
): previous is Previous {
  return previous !== undefined && previous.expiresAt > now
}

/** Both of them as `change` makes them anew. */
export async function changedSecrets(
  { secret, previousSecret }: Secrets,
  change: (secret: ClientSecret) => Promise<ClientSecret>,
): Promise<Secrets> {
  if (secret === undefined) return {}
  const previous = previousSecret && { ...previousSecret, secret: await change(previousSecret.secret) }
  return { secret: await change(secret), ...optional('previousSecret', previous) }
}
