import { createRequire } from 'node:module'
import SQLite from 'better-sqlite3'
import { ConfigurationError } from '../errors.js'

/** The Node-API that better-sqlite3 is compiled for from version 13 on. A Node without it loads it and crashes. */
const NODE_API_OF_13 = 10

/** Before a file is made, so that none is left behind that is empty. @throws ConfigurationError where better-sqlite3 cannot work. */
export function requireBindings(): void {
  const version = Number(process.versions.napi) < NODE_API_OF_13 ? installedVersion() : undefined
  if (version !== undefined && Number.parseInt(version, 10) > 12) {
    throw new ConfigurationError(
      'store',
      `needs better-sqlite3, of which version ${version} does not run on Node ${process.versions.node}`,
      "Run 'npm install better-sqlite3@12', or take Node 22.14 or newer.",
    )
  }
  try {
    new SQLite(':memory:').close()
  } catch (error) {
    throw new ConfigurationError(
      'store',
      'needs the bindings of better-sqlite3, which cannot be loaded',
      "Run 'npm rebuild better-sqlite3': its install script did not run, or ran under another version of Node.",
      error,
    )
  }
}

/** Undefined where it is bundled with the host. */
function installedVersion(): string | undefined {
  try {
    return createRequire(import.meta.url)('better-sqlite3/package.json').version
  } catch {
    return undefined
  }
}
