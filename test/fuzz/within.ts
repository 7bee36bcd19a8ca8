/** What hangs is given up after so long, in milliseconds. */
const LONGEST = 10_000

/** The answer, or an error where none comes. */
export async function within<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${LONGEST / 1000} seconds`)), LONGEST)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
