import { optional } from '../optional.js'
import type { Client } from '../store/records.js'

/** What becomes of a client that an administrator has looked at. */
export type Judgement = 'verified' | 'unverified' | 'blocked' | 'unblocked'

type Judged = Pick<Client, 'verified' | 'disabled'>

const JUDGEMENTS: Readonly<Record<Judgement, Partial<Judged>>> = {
  verified: { verified: true },
  unverified: { verified: false },
  blocked: { disabled: true },
  unblocked: { disabled: false },
}

/** The client as it is then. It no longer goes away by itself. */
export function judged({ expiresAt: _, ...client }: Client, judgement: Judgement): Client {
  const { verified, disabled } = JUDGEMENTS[judgement]
  return { ...client, ...optional('verified', verified), ...optional('disabled', disabled) }
}

/** A client as its document has it now, `seen` as it was kept: where users may be sent to other hosts than before, nobody has looked at it. */
export function judgedAsSeen(client: Client, seen: Client): Client {
  const known = seen.redirectUris.map(placeOf)
  const isElsewhere = client.redirectUris.some((uri) => !known.includes(placeOf(uri)))
  return client.verified && isElsewhere ? { ...client, verified: false } : client
}

/** The host, or of an address that is for an app the scheme. */
function placeOf(uri: string): string {
  const { protocol, hostname } = new URL(uri)
  return `${protocol}//${hostname}`
}

export function isJudgedAlike(a: Judged, b: Judged): boolean {
  return (a.verified ?? false) === (b.verified ?? false) && a.disabled === b.disabled
}
