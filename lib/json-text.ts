/** Nothing that is sent to us is nested nearly as deeply, and what is written out again must not run out of stack. */
const DEEPEST = 32

/** The braces and the strings of a JSON text; the second group is the name of a member. A quote alone begins a string that does not end. */
const TOKENS = /("[^"\\]*(?:\\.[^"\\]*)*")(?:\s*(:))?|[{}[\]"]/gs

/**
 * What is wrong with a JSON text that `JSON.parse` takes: an object that names a member twice, of which two readers would see two different
 * values (RFC 8259 §4), or too many levels. Takes as long as the text is; throws `SyntaxError` for some of what is no JSON.
 */
export function flawOfJson(text: string): 'repeated_member' | 'too_deep' | undefined {
  const names: Set<unknown>[] = []
  for (const [token, string, colon] of text.matchAll(TOKENS)) {
    if (string !== undefined) {
      if (colon === undefined) continue
      const name: unknown = JSON.parse(string)
      const known = names.at(-1)
      if (known?.has(name)) return 'repeated_member'
      known?.add(name)
    } else if (token === '{' || token === '[') {
      if (names.push(new Set()) > DEEPEST) return 'too_deep'
    } else if (token === '"') {
      // To look for its end from each quote behind this one would take as long as the text is, each time.
      throw new SyntaxError('a string does not end')
    } else names.pop()
  }
  return undefined
}
