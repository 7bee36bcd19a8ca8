/** What a terminal, or a reader's eye, would take for something else: control, format and line characters. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const HIDDEN_BUT_LINES = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
/** East Asian wide characters and emoji take two columns (UAX 11). */
const WIDE =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}])/u

const characters = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** A text that others chose, so that it can do nothing to a terminal: an escape sequence is shown, not obeyed. */
export function visible(text: string): string {
  return text.replace(HIDDEN, escaped)
}

/** The same for a text of ours of several lines, with something of others in it. */
export function visibleLines(text: string): string {
  return text.replace(HIDDEN_BUT_LINES, escaped)
}

/** One JSON document; the characters that JSON would leave as they are, and a terminal would obey, are escaped in it. */
export function json(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(HIDDEN_BUT_LINES, (character) =>
    Array.from({ length: character.length }, (_, index) => `\\u${hex(character.charCodeAt(index))}`).join(''),
  )
}

/** In columns of a terminal. */
export function width(text: string): number {
  let columns = 0
  for (const { segment } of characters.segment(text)) columns += WIDE.test(segment) ? 2 : 1
  return columns
}

/** Not wider than this; what is cut off is told by a dot-dot-dot. */
export function cut(text: string, columns: number): string {
  if (width(text) <= columns) return text
  let kept = ''
  let used = 1
  for (const { segment } of characters.segment(text)) {
    used += width(segment)
    if (used > columns) break
    kept += segment
  }
  return `${kept}…`
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (character === '\n') return '\\n'
  if (character === '\t') return '\\t'
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}

function hex(code: number): string {
  return code.toString(16).padStart(4, '0')
}
