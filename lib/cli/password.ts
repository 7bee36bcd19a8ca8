/** A shorter one would be hidden in the middle of other words. */
const LEAST = 3

/**
 * A text without the passwords of the URLs in it. `words`: what was typed, or is in the environment, since a password that nobody has encoded may
 * hold a space: then it ends nowhere in the text, or has become several words.
 */
export function hidePassword(text: string, words: readonly string[] = []): string {
  return passwordsIn(words)
    .reduce((hidden, password) => hidden.replaceAll(password, '***'), text)
    .replace(/([a-z][a-z\d+.-]*:\/\/[^\s/:@]*):[^\s]*@/gi, '$1:***@')
    .replace(/([?&]password=)[^&\s]*/gi, '$1***')
}

/** The longest first, as one may begin like another. */
function passwordsIn(words: readonly string[]): readonly string[] {
  // Up to the last @ of a word; where it has none, up to the first one behind it, unless a flag stands between.
  const urls = words.join('\n').matchAll(/postgres(?:ql)?:\/\/[^:@\n]*:(?:(.*)@|((?:(?!\n--)[^@])*)@)/gi)
  const found = [...urls].flatMap(([, one, several = '']) => one ?? several.split('\n'))
  return found.filter(({ length }) => length >= LEAST).sort((a, b) => b.length - a.length)
}
