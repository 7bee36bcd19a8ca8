import { ConfigurationError, StoreUnavailableError } from '../errors.js'

/** A statement; under its name the server keeps it prepared, for each connection. */
export interface PostgresQuery {
  readonly text: string
  readonly name?: string
  readonly values?: unknown[]
  /** Milliseconds. */
  readonly query_timeout?: number
}

export interface PostgresResult {
  // biome-ignore lint/suspicious/noExplicitAny: whatever the columns of a statement are.
  readonly rows: any[]
  readonly rowCount: number | null
}

/** One connection of the pool. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<PostgresResult>
  /** With an error, it is closed instead of being used again. */
  release(error?: Error): void
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

/** What the store needs of a `Pool` of the package `pg`, or of one that works like it. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'connect', listener: (client?: Pick<PostgresClient, 'on'>) => void): unknown
}

/** How long an operation waits for a free connection, and then for its answer, in milliseconds. */
const LONGEST_WAIT = 5000
/** How often what the server has rolled back, or what only reads, is tried before it is given up. */
const MOST_TRIES = 6
/** The pause before the second try, in milliseconds; it doubles with each further one, and is cut at random. */
const PAUSE = 5

/** Takes a connection for one task, and gives it back, or closes it where it is of no more use. Rejects with what went wrong. */
export async function withClient<T>(
  pool: PostgresPool,
  task: (client: PostgresClient) => Promise<T>,
): Promise<T> {
  const client = await connect(pool)
  client.on('error', ignore)
  let broken: Error | undefined
  try {
    return await task(client)
  } catch (error) {
    if (isLost(error)) broken = error as Error
    throw error
  } finally {
    client.removeListener('error', ignore)
    client.release(broken)
  }
}

/** Sends one statement. What is known not to have happened is tried again, and with `repeatable` also what may have. */
export async function send(
  pool: PostgresPool,
  query: PostgresQuery,
  { repeatable }: { readonly repeatable: boolean },
): Promise<PostgresResult> {
  for (let tries = 1; ; tries++) {
    try {
      return await withClient(pool, (client) => client.query({ ...query, query_timeout: LONGEST_WAIT }))
    } catch (error) {
      const again = isRolledBack(error) || (repeatable && isCut(error))
      if (!again || tries === MOST_TRIES) throw unavailable(error)
      await pause(PAUSE * 2 ** tries * Math.random())
    }
  }
}

/** Whoever has waited too long takes no connection any more, so nothing happens that nobody learns of. */
async function connect(pool: PostgresPool): Promise<PostgresClient> {
  const connecting = pool.connect()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), LONGEST_WAIT)
  })
  try {
    const client = await Promise.race([connecting, late])
    if (client === 'late') {
      connecting.then((unused) => unused.release(), ignore)
      throw new StoreUnavailableError('PostgreSQL: no connection became free in time.')
    }
    if (typeof client?.release !== 'function') {
      throw new ConfigurationError(
        'store',
        'was given one connection in place of a pool',
        'Pass postgresStore(new Pool()).',
      )
    }
    return client
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The server's own failures and the network's are the store's, and may soon be over: connection lost (class 08), rolled back (40), out of
 * resources (53), stopped by somebody (57), failed system (58), a standby or a server that is not yet or no more the one to write to (25006),
 * refused (28, 3D, 42501); and whatever has no SQLSTATE. The rest is a bug and stays what it is.
 */
export function unavailable(error: unknown): unknown {
  if (error instanceof StoreUnavailableError || error instanceof ConfigurationError) return error
  const state = sqlState(error)
  if (state !== undefined && !/^(?:08|25006|28|3D|40|42501|53|55P03|57|58)/.test(state)) return error
  return new StoreUnavailableError(`PostgreSQL: ${state ?? (error as Error).message}`, { cause: error })
}

/** Whether the server has undone the whole statement, so that it can be sent again: serialization failure, deadlock. */
function isRolledBack(error: unknown): boolean {
  return /^(?:40001|40P01)$/.test(sqlState(error) ?? '')
}

/** Whether the connection broke, and with it the knowledge of what has become of the statement. */
function isCut(error: unknown): boolean {
  if (error instanceof StoreUnavailableError || error instanceof ConfigurationError) return false
  const state = sqlState(error)
  return state === undefined ? !/timeout/i.test((error as Error).message) : /^(?:08|57P0[123])/.test(state)
}

/** Whether the connection is of no more use; after a failover it may lead to a standby. */
function isLost(error: unknown): boolean {
  return /^(?:08|25006|57P|58|$)/.test(sqlState(error) ?? '')
}

export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  // Those of the network are names: ECONNRESET.
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : undefined
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Without a listener Node would end the process; whoever waits for an answer of that connection is told anyway. */
export function ignore(): void {}
