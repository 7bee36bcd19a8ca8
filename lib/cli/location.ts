import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import type { Arguments } from './arguments.js'
import { Failure, UsageError } from './failure.js'
import type { Io } from './io.js'
import { hidePassword } from './password.js'

const DEFAULT_FILE = 'oauth.db'

/** Where a store is. */
export type Location =
  | { readonly kind: 'file'; readonly file: string; readonly exists: boolean }
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string | undefined }

/** What was named by `--store`, else by the environment, else the file that a provider makes by default. */
export function locate(args: Arguments, { env, cwd }: Pick<Io, 'env' | 'cwd'>): Location {
  const named = args.text('store') ?? (env.OAUTH_STORE || undefined)
  const schema = args.text('schema')
  const isUrl = named !== undefined && /^postgres(?:ql)?:\/\//i.test(named)
  if (schema !== undefined && !isUrl)
    throw new UsageError('--schema is for PostgreSQL. Leave it out, or pass a URL as --store.')
  if (named === undefined) return inFolder(DEFAULT_FILE, cwd)
  if (isUrl) return { kind: 'postgres', url: named, schema }
  if (named === ':memory:' || /^[a-z][a-z\d+.-]+:\/\//i.test(named))
    throw new Failure(
      'store',
      `${named} is neither a file nor a PostgreSQL URL. Pass the store of your app: --store oauth.db, or --store postgres://user@host/database.`,
    )
  return inFolder(named, cwd)
}

/** The same for people to read. */
export function locationName(location: Location): string {
  return location.kind === 'file' ? location.file : hidePassword(location.url, [location.url])
}

function inFolder(name: string, cwd: string): Location {
  const file = path.resolve(cwd, name)
  const exists = existsSync(file)
  if (exists && !statSync(file).isFile())
    throw new Failure('store', `${file} is no file. Pass the SQLite file of your app: --store <file>.`)
  return { kind: 'file', file, exists }
}
