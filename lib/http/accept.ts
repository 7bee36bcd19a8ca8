/** RFC 9110 §12.4.2 */
const WEIGHT = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/**
 * How much the header Accept wants a media type, from 0 to 1 (RFC 9110 §12.5.1); 0 where it does not name it. Ranges with an asterisk are
 * not looked at: whoever can read an uncommon type names it.
 */
export function weightOf(mediaType: string, accept = ''): number {
  const elements = accept.toLowerCase().split(',')
  const named = elements.map((element) => element.split(';').map((part) => part.trim()))
  const parameters = named.find(([name]) => name === mediaType)
  if (parameters === undefined) return 0
  const [weight] = parameters.flatMap((parameter) => WEIGHT.exec(parameter)?.slice(1) ?? [])
  return weight === undefined ? 1 : Number(weight)
}
