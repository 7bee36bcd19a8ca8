import type { PageName } from '../options.js'
import type { Text } from '../text.js'

export interface JsonReply {
  readonly status: number
  readonly body: object
  readonly headers?: Readonly<Record<string, string>>
}

/** What a machine endpoint answers: JSON, a text of another type, or nothing. */
export type MachineReply = JsonReply | TextReply | EmptyReply

export interface EmptyReply {
  readonly status: 204
  readonly headers?: Readonly<Record<string, string>>
}

export interface TextReply {
  readonly status: number
  readonly type: string
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What a page endpoint answers: a page, or a redirect. */
export type PageReply = Page | Redirect

export interface Page {
  readonly kind: 'page'
  readonly page: PageName
  readonly status: number
  readonly title: Text | string
  readonly locals: Readonly<Record<string, unknown>>
}

export interface Redirect {
  readonly kind: 'redirect'
  readonly location: string
  /** Our cookie for this browser, where it has none yet. */
  readonly browser?: string | undefined
}

export function page(
  name: PageName,
  title: Text | string,
  locals: Readonly<Record<string, unknown>>,
  status = 200,
): Page {
  return { kind: 'page', page: name, status, title, locals }
}

export function redirect(location: string, browser?: string): Redirect {
  return { kind: 'redirect', location, browser }
}
