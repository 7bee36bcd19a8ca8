/** No name is longer. */
const LONGEST = 64

/** The known name that was probably meant, where one is near enough to the given one or begins like it. */
export function suggestion(given: string, known: readonly string[]): string | undefined {
  const typed = given.slice(0, LONGEST).toLowerCase()
  const [best] = known
    .map((name) => ({ name, distance: distance(typed, name.toLowerCase()) }))
    .filter(
      ({ name, distance }) =>
        distance <= Math.max(2, name.length / 3) || beginAlike(typed, name.toLowerCase()),
    )
    .sort((a, b) => a.distance - b.distance)
  return best?.name
}

function beginAlike(a: string, b: string): boolean {
  return Math.min(a.length, b.length) >= 4 && (a.startsWith(b) || b.startsWith(a))
}

/** Levenshtein distance, one row at a time. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substituted)
    }
    row = next
  }
  return row[b.length] ?? 0
}
