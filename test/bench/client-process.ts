import type { Measured } from './catalogue.js'
import { Connection } from './connection.js'
import { keepToCore } from './core.js'
import { conversation } from './requests.js'
import type { Served } from './server-process.js'

/** What a client is told to do: to go on with an operation on all connections for so long. */
export interface ClientTask {
  readonly operation: Measured
  readonly served: Served
  readonly connections: number
  /** Seconds, after those of the warming up, which do not count. */
  readonly warmUp: number
  readonly seconds: number
}

export interface Sample {
  /** Operations a second. */
  readonly rate: number
  /** Milliseconds from the first byte that is sent to the last that comes. */
  readonly p50: number
  readonly p99: number
  /** How many operations there were in all, those of the warming up included. */
  readonly operations: number
}

function measure({ operation, served, connections, warmUp, seconds }: ClientTask): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const open: Connection[] = []
    const took: number[] = []
    const from = performance.now() + warmUp * 1000
    const until = from + seconds * 1000
    let last = from
    let done = 0
    let operations = 0
    const close = () => {
      for (const connection of open) connection.close()
    }
    const fail = (error: Error) => {
      close()
      reject(error)
    }
    const finish = () => {
      if (++done < connections) return
      close()
      resolve({ rate: took.length / ((last - from) / 1000), operations, ...percentiles(took) })
    }
    for (let index = 0; index < connections; index++) {
      const connection = new Connection(served.port, fail)
      open.push(connection)
      const talk = conversation(operation, served, index * 61)
      const begin = () => {
        const startedAt = performance.now()
        const send = (request: string) =>
          connection.send(request, (answer) => {
            const next = talk.next(answer)
            if (next !== undefined) return send(next)
            const now = performance.now()
            operations++
            if (startedAt >= from) {
              took.push(now - startedAt)
              last = now
            }
            if (now < until) begin()
            else finish()
          })
        send(talk.first())
      }
      begin()
    }
  })
}

function percentiles(took: readonly number[]): { p50: number; p99: number } {
  const sorted = Float64Array.from(took).sort()
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}

keepToCore()
process.on('message', (task: ClientTask) => {
  measure(task).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.stack : String(error) }),
  )
})
process.once('disconnect', () => process.exit())
