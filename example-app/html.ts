/** A piece of HTML. Whatever else is put into an `html` template is text and gets escaped. */
export class Html {
  constructor(private readonly source: string) {}

  toString(): string {
    return this.source
  }
}

type Value = Html | string | number | undefined | false | Value[]

export function html(strings: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(String.raw({ raw: strings }, ...values.map(toSource)))
}

function toSource(value: Value): string {
  if (value instanceof Html) return value.toString()
  if (Array.isArray(value)) return value.map(toSource).join('')
  if (value === undefined || value === false) return ''
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
