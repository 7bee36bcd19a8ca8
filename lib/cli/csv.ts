/**
 * What a spreadsheet takes for the beginning of a formula, as OWASP lists it under "CSV Injection"; also behind what it may trim or what is not
 * seen: spaces, control and format characters.
 */
const FORMULA = /^(?:[\t\r\n]|[\s\p{Z}\p{Cc}\p{Cf}]*[=+\-@＝＋－＠])/u

/** One line (RFC 4180). Every field is quoted; one that a spreadsheet would run begins with an apostrophe instead. */
export function csvLine(fields: readonly (string | undefined)[]): string {
  return `${fields.map((field = '') => `"${defused(field).replaceAll('"', '""')}"`).join(',')}\r\n`
}

function defused(field: string): string {
  return FORMULA.test(field) ? `'${field}` : field
}
