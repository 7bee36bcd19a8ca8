import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { CANDIDATES, type CandidateName, OPERATIONS, type OperationName } from './catalogue.js'

export interface Flags {
  readonly tokens: readonly number[]
  readonly only: readonly CandidateName[]
  readonly operations: readonly OperationName[]
  readonly seconds: number
  readonly rounds: number
  readonly connections: number
  /** Where the files of SQLite lie. */
  readonly folder: string
  readonly profile: boolean
}

export const USAGE = `npm run bench -- [flags]

  --tokens 1000,100000,1000000  how many live tokens lie in the store; default 1000,100000
  --only ours,floor             those whose name has one of these: ${CANDIDATES.join(', ')}
  --ops refresh,code            the same of: ${OPERATIONS.join(', ')}
  --seconds 1                   how long each is measured in each round
  --rounds 3                    of which the median counts
  --connections 32
  --folder /dev/shm             where the files of SQLite lie; default: where temporary files do
  --profile                     also writes a CPU profile of ours-sqlite for each operation, into this folder
`

/** @throws Error for what is no flag or no value of it. */
export function readFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      tokens: { type: 'string', default: '1000,100000' },
      only: { type: 'string', default: '' },
      ops: { type: 'string', default: '' },
      seconds: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '32' },
      folder: { type: 'string', default: tmpdir() },
      profile: { type: 'boolean', default: false },
    },
  })
  return {
    tokens: values.tokens
      .split(',')
      .map((count) => positive('--tokens', count))
      .sort((a, b) => a - b),
    only: chosen('--only', CANDIDATES, values.only),
    operations: chosen('--ops', OPERATIONS, values.ops),
    seconds: positive('--seconds', values.seconds),
    rounds: positive('--rounds', values.rounds),
    connections: positive('--connections', values.connections),
    folder: values.folder,
    profile: values.profile,
  }
}

function chosen<Name extends string>(flag: string, names: readonly Name[], value: string): readonly Name[] {
  const parts = value.split(',')
  const found = names.filter((name) => parts.some((part) => name.includes(part.trim())))
  if (found.length > 0) return found
  throw new Error(`${flag} names none of: ${names.join(', ')}`)
}

function positive(flag: string, value: string): number {
  const number = Number(value)
  if (number > 0) return number
  throw new Error(`${flag} wants a number, not '${value}'`)
}
