/** A text of the catalogue, with what belongs into its `{places}`. */
export interface Text {
  readonly key: string
  readonly values?: Readonly<Record<string, TextValue>>
  /** What is shown where no language has the text: the host's own sentence. */
  readonly otherwise?: string
}

/** What stands in a `{place}`: a value as it is, another text, several of them as a list, or a time from now. */
export type TextValue = string | Text | readonly Text[] | { readonly inMinutes: number }

/** The texts of one language, by key. */
export interface Catalogue {
  /** BCP 47 */
  readonly language: string
  readonly texts: Readonly<Record<string, string>>
}

/** A text as it is shown. `shown` makes of each value from outside what stands in its place. */
export function textOf(
  catalogue: Catalogue,
  { key, values = {}, otherwise = key }: Text,
  shown: (value: string) => string = (value) => value,
): string {
  const text = catalogueText(catalogue, key) ?? otherwise
  return filled(text, (name) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    return value === undefined ? undefined : shownValue(catalogue, value, shown)
  })
}

/** Undefined where the language has no such text. */
export function catalogueText({ texts }: Catalogue, key: string): string | undefined {
  return Object.hasOwn(texts, key) ? texts[key] : undefined
}

/** A text with its places filled, each once: what is put there is not looked at again. */
export function filled(text: string, valueAt: (name: string) => string | undefined): string {
  return text.replace(PLACE, (place, name: string) => valueAt(name) ?? place)
}

/** The names of the places that a text has. */
export function placesIn(text: string): readonly string[] {
  return [...text.matchAll(PLACE)].map(([, name = '']) => name)
}

const PLACE = /\{(\w+)\}/g

function shownValue(catalogue: Catalogue, value: TextValue, shown: (value: string) => string): string {
  if (typeof value !== 'object') return shown(String(value))
  if ('inMinutes' in value)
    return new Intl.RelativeTimeFormat(catalogue.language).format(value.inMinutes, 'minute')
  if ('key' in value) return textOf(catalogue, value, shown)
  const items = value.map((item) => textOf(catalogue, item, shown))
  return new Intl.ListFormat(catalogue.language, { type: 'unit', style: 'short' }).format(items)
}
