/** A URL, or a text with one in it, without the password. */
export function hidePassword(text: string): string {
  return text
    .replace(/([a-z][a-z\d+.-]*:\/\/[^\s/:@]*):[^\s]*@/gi, '$1:***@')
    .replace(/([?&]password=)[^&\s]*/gi, '$1***')
}
