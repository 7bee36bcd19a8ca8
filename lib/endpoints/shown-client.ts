import { destinationOf } from '../authorization/redirect-uri.js'
import { hostOf, shownName } from '../client-name.js'
import type { Client } from '../store/records.js'
import { isVouchedFor } from '../vouched.js'

/** Who says that a client is what it says. */
export type Standing =
  /** The host has registered it. */
  | 'registered'
  /** It came by itself, or a user made it, and the host has looked at it. */
  | 'verified'
  /** A user of the host has made it. */
  | 'user'
  /** It came by itself. */
  | 'stranger'

/** A client as pages show it. Where nobody vouches for it, its name is what it calls itself, and must not pass for anything else. */
export interface ShownClient {
  readonly id: string
  readonly name: string
  readonly uri: string | undefined
  readonly logoUri: string | undefined
  readonly policyUri: string | undefined
  readonly tosUri: string | undefined
  /** The host of its id, where that is a URL; its maker is in charge of this site. */
  readonly host: string | undefined
  readonly standing: Standing
  /** Its name could be taken for the address that it comes from. */
  readonly nameIsAddress: boolean
  /** It proves nothing and is answered on the user's computer only, so any program there can say that it is this client. */
  readonly anybody: boolean
}

/** `tags`: the languages that the page is read in, the one that fits best first. */
export function shownClient(client: Client, tags: readonly string[] = []): ShownClient {
  const { id, redirectUris, confidential } = client
  const text = (name: string) => localized(client, name, tags)
  const called = text('client_name') ?? client.name
  const host = hostOf(client)
  const name = shownName(client, called)
  return {
    ...{ id, name, host },
    uri: text('client_uri') ?? client.uri,
    logoUri: text('logo_uri') ?? client.logoUri,
    policyUri: text('policy_uri') ?? client.policyUri,
    tosUri: text('tos_uri') ?? client.tosUri,
    standing: standingOf(client),
    nameIsAddress: !isVouchedFor(client) && ADDRESS.test(name) && name !== host,
    anybody:
      !confidential &&
      redirectUris.length > 0 &&
      redirectUris.every((uri) => destinationOf(uri).kind === 'loopback'),
  }
}

function standingOf(client: Client): Standing {
  if (isVouchedFor(client)) return client.source === undefined ? 'registered' : 'verified'
  return client.source === 'user' || client.source === undefined ? 'user' : 'stranger'
}

/** What a client says in the language of the page (RFC 7591 §2.2). */
function localized(
  { localized = {} }: Pick<Client, 'localized'>,
  member: string,
  tags: readonly string[],
): string | undefined {
  const said = new Map(Object.entries(localized).map(([name, value]) => [name.toLowerCase(), value]))
  const tag = tags.find((language) => said.has(`${member}#${language.toLowerCase()}`))
  return tag === undefined ? undefined : said.get(`${member}#${tag.toLowerCase()}`)
}

/** Something like a host in a name. */
const ADDRESS =
  /:\/\/|(?:^|[^\p{L}\p{N}.-])(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+\p{L}{2,}(?![\p{L}\p{N}])/u
