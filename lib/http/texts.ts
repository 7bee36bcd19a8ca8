import { isBuiltIn } from '../built-in-texts.js'
import type { Catalogues } from '../messages.js'
import { type Catalogue, catalogueText, filled, type Text, type TextValue, textOf } from '../text.js'

/** What the templates speak with. */
export interface TextLocals {
  /** The language of the page (BCP 47), for `<html lang>`. */
  readonly lang: string
  /** `ltr` or `rtl`. */
  readonly dir: string
  /** A text of the catalogue, to be escaped: `<%= t('consent.deny') %>`. */
  readonly t: (key: string, values?: Readonly<Record<string, unknown>>) => string
  /** The same as HTML, with each value in an element of its own: `<%- th('consent.heading', { client: client.name }) %>`. */
  readonly th: (key: string, values?: Readonly<Record<string, HtmlValue>>) => string
  /** A day, as the language writes it. */
  readonly day: (date: Date) => string
}

/** A value in HTML: what is no HTML is escaped, and stands in a `<bdi>`, so that it cannot reorder the words beside it. */
export type HtmlValue =
  | string
  | number
  | undefined
  /** HTML, which stands as it is. */
  | { readonly html: string }
  /** A link, to a path or to http or https. */
  | { readonly href: string; readonly text: string; readonly newTab?: boolean }
  | { readonly strong: string }
  /** A `<bdi>` with a class, or with a direction of its own. */
  | { readonly text: string; readonly class?: string; readonly dir?: 'ltr' | 'rtl' | 'auto' }

export interface Texts {
  readonly locals: TextLocals
  /** A title or notice as it is shown. */
  of(text: Text | string): string
  /** Locals in which each text of the catalogue has become what is shown, however deep it lies. */
  resolve(locals: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>
}

/** The texts of the pages by language, each language made ready once. */
export function textsByLanguage(catalogues: Catalogues): (language: string) => Texts {
  const known = new Map<string, Texts>()
  return (language) => {
    const texts = known.get(language) ?? textsOf(catalogues.get(language) ?? { language, texts: {} })
    known.set(language, texts)
    return texts
  }
}

function textsOf(catalogue: Catalogue): Texts {
  const dir = catalogueText(catalogue, 'language.dir') ?? 'ltr'
  const shown = (value: string) => isolated(value, dir)
  const of = (text: Text | string) => (typeof text === 'string' ? text : textOf(catalogue, text, shown))
  let days: Intl.DateTimeFormat | undefined
  return {
    of,
    resolve: (locals) => resolved(locals, of, DEEPEST) as Readonly<Record<string, unknown>>,
    locals: {
      lang: catalogue.language,
      dir,
      t: (key, values = {}) => of({ key, values: values as Readonly<Record<string, TextValue>> }),
      th: (key, values = {}) => inHtml(catalogue, key, values),
      day: (date) => {
        days ??= new Intl.DateTimeFormat(DAYS[catalogue.language] ?? catalogue.language, {
          dateStyle: 'long',
          timeZone: 'UTC',
        })
        return days.format(date)
      },
    },
  }
}

/** How a day is written in a language that is written in more than one way: 5 March 2026. */
const DAYS: Readonly<Record<string, string>> = { en: 'en-GB' }

/** How deep in the locals of a page a text may lie. */
const DEEPEST = 6

function resolved(value: unknown, of: (text: Text) => string, deepest: number): unknown {
  if (typeof value !== 'object' || value === null || deepest === 0) return value
  if (isText(value)) return of(value)
  if (Array.isArray(value)) return value.map((item) => resolved(item, of, deepest - 1))
  // What is no plain object, a date or a user of the host's, is left as it is.
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, resolved(member, of, deepest - 1)]),
  )
}

function isText(value: object): value is Text {
  if (!('key' in value) || typeof value.key !== 'string') return false
  if (!Object.keys(value).every((name) => ['key', 'values', 'otherwise'].includes(name))) return false
  return 'otherwise' in value || isBuiltIn(value.key)
}

/** Letters of scripts from right to left, and characters that change the direction. */
const TURNS =
  /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]|[\ud802-\ud803\ud83a-\ud83b]/
const CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g

/** A value in plain text, where there is no `<bdi>`: set apart from the words beside it, wherever its direction could differ from theirs. */
function isolated(value: string, dir: string): string {
  if (dir === 'ltr' && !TURNS.test(value)) return value
  return `\u2068${value.replace(CONTROLS, '')}\u2069`
}

function inHtml(catalogue: Catalogue, key: string, values: Readonly<Record<string, HtmlValue>>): string {
  return filled(escapeHtml(catalogueText(catalogue, key) ?? key), (name) =>
    Object.hasOwn(values, name) && values[name] !== undefined ? htmlOf(values[name]) : undefined,
  )
}

function htmlOf(value: Exclude<HtmlValue, undefined>): string {
  if (typeof value !== 'object') return `<bdi>${escapeHtml(String(value))}</bdi>`
  if ('html' in value) return value.html
  if ('strong' in value) return `<strong>${escapeHtml(value.strong)}</strong>`
  if ('href' in value) return link(value)
  const attributes = Object.entries({ class: value.class, dir: value.dir })
    .filter(([, attribute]) => attribute !== undefined)
    .map(([name, attribute]) => ` ${name}="${escapeHtml(attribute ?? '')}"`)
  return `<bdi${attributes.join('')}>${escapeHtml(value.text)}</bdi>`
}

function link({ href, text, newTab }: { href: string; text: string; newTab?: boolean }): string {
  // Whatever else has let an address through: no script.
  if (!/^(?:https?:\/\/|\/(?![/\\]))/i.test(href)) return `<bdi>${escapeHtml(text)}</bdi>`
  const target = newTab ? ' rel="noopener noreferrer" target="_blank"' : ''
  return `<a href="${escapeHtml(href)}"${target}>${escapeHtml(text)}</a>`
}

/** As EJS does it, so that a value reads alike wherever it stands on a page. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPED[character] ?? '')
}

const ESCAPED: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' },
}
