/** The least id that begins with this millisecond: of a record that expires then, of an audit entry of then. */
export function timeKey(milliseconds: number): string {
  return Math.max(0, milliseconds).toString(16).padStart(12, '0')
}
