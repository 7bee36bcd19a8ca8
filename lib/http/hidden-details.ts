import { existsSync, readFileSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import type { PageName } from '../options.js'
import { BUILT_IN } from './templates.js'

/** The pages on which users approve what clients ask for in detail. */
const ASKING: readonly PageName[] = ['consent', 'device-consent']

/** Those of them in this folder that do not show it, by the names of their files: neither they nor a part that they include reads the local. */
export function pagesHidingDetails(folder: string): readonly string[] {
  return ASKING.map((page) => `${page}.ejs`).filter((name) => {
    const file = join(folder, name)
    return existsSync(file) && !showsDetails(file, new Set())
  })
}

function showsDetails(file: string, seen: Set<string>): boolean {
  if (seen.has(file)) return false
  seen.add(file)
  const text = readFileSync(file, 'utf8')
  if (text.includes('authorizationDetails')) return true
  const parts = [...text.matchAll(/\binclude\(\s*(?:(['"])([^'"]+)\1\s*[,)])?/g)].map(([, , name]) => name)
  // A part whose name is computed may be one that shows it.
  return parts.some((name) => name === undefined || partShowsDetails(file, name, seen))
}

/** Looked for where EJS does. */
function partShowsDetails(page: string, name: string, seen: Set<string>): boolean {
  const file = extname(name) === '' ? `${name}.ejs` : name
  const found = [resolve(dirname(page), file), join(BUILT_IN, file)].find((path) => existsSync(path))
  return found !== undefined && showsDetails(found, seen)
}
