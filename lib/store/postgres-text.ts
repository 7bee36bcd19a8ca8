/** A noncharacter: it stands in no text that people write, and marks what PostgreSQL's text cannot hold. */
const MARK = '\ufffe'

/** A string as PostgreSQL can keep it: its text has no NUL. */
export function toText(value: string): string {
  if (!value.includes('\0') && !value.includes(MARK)) return value
  return value.replace(/[\0\ufffe]/g, (odd) => `${MARK}${odd === '\0' ? 0 : 1}`)
}

export function fromText(value: string): string {
  if (!value.includes(MARK)) return value
  return value.replace(/\ufffe([01])/g, (_, which) => (which === '0' ? '\0' : MARK))
}

/** As JSON that `jsonb` takes: neither a NUL nor half a character in it. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, member) =>
    typeof member === 'string' ? toText(member).replace(/\p{Cs}/gu, '\ufffd') : member,
  )
}

export function fromJson(text: string): unknown {
  if (!text.includes(MARK)) return JSON.parse(text)
  return JSON.parse(text, (_, member) => (typeof member === 'string' ? fromText(member) : member))
}
