/** A client by what it calls itself, and whoever says so. */
export interface NamedClient {
  readonly id: string
  readonly name: string
  /** Undefined where the host has registered it. */
  readonly source?: string | undefined
}

/** What a client is called where people read it: on pages, and in the mails of the host. `called`: its name in the reader's language. */
export function shownName(client: NamedClient, called = client.name): string {
  return client.source === undefined ? called : tamed(called) || hostOf(client) || client.id
}

/** The host of its id, where that is a URL; its maker is in charge of this site. */
export function hostOf({ id, source }: Pick<NamedClient, 'id' | 'source'>): string | undefined {
  return source === 'document' ? new URL(id).host : undefined
}

/** Characters. A name that fills the page pushes what is true out of sight. */
const LONGEST_SHOWN_NAME = 60
const BREAKS = /[\s\p{Cc}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]+/gu
/** What is not seen, or turns what is beside it; but not what joins letters and emoji. */
const UNSEEN = /(?![\u200c\u200d])[\p{Cf}\p{Co}\p{Cn}\p{Cs}]/gu
/** More marks on one letter than any language has cover the lines around it. */
const MARKS = /(\p{M}{4})\p{M}+/gu

/** Where nobody vouches for a client its name is what it calls itself, and must not pass for anything else. */
function tamed(name: string): string {
  const seen = name.replace(UNSEEN, '').replace(BREAKS, ' ').replace(MARKS, '$1').trim()
  const letters = [...seen]
  return letters.length > LONGEST_SHOWN_NAME ? `${letters.slice(0, LONGEST_SHOWN_NAME).join('')}…` : seen
}
