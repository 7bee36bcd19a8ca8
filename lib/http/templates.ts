import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ejs from 'ejs'
import { ConfigurationError } from '../errors.js'
import type { PageLocals, PageName } from '../options.js'
import { suggestion } from '../suggestion.js'

// Right from lib/http and from dist/esm and dist/cjs, into which this is bundled: the package is two folders up from each.
export const BUILT_IN = fileURLToPath(new URL('../../templates/', import.meta.url))

export type RenderPage = (page: PageName, locals: PageLocals) => string

/** Compiles every page once, a file of the host's folder before the built-in one of the same name. */
export function compileTemplates(folder: string | undefined): RenderPage {
  if (folder !== undefined && !statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ConfigurationError(
      'templates',
      `names a folder that does not exist: '${folder}'`,
      'Create it or leave it out.',
    )
  }
  if (folder !== undefined) refuseMisspelt(folder)
  const layout = compile('layout', folder)
  const pages = Object.fromEntries(PAGES.map((page) => [page, compile(page, folder)])) as Record<
    PageName,
    ejs.TemplateFunction
  >
  return (page, locals) => layout({ ...locals, body: pages[page](locals) })
}

const PAGES = Object.keys({
  admin: 0,
  'admin-audit': 0,
  'admin-client': 0,
  'admin-confirm': 0,
  'admin-user': 0,
  application: 0,
  applications: 0,
  consent: 0,
  error: 0,
  continue: 0,
  'form-post': 0,
  'authorized-applications': 0,
  logout: 0,
  'logged-out': 0,
  device: 0,
  'device-consent': 0,
  'device-done': 0,
} satisfies Record<PageName, 0>) as readonly PageName[]

/** A misspelt page would leave the built-in one in place without a word. Beside the page that it resembles a file is a partial. */
function refuseMisspelt(folder: string): void {
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.ejs'))
    .map((file) => file.slice(0, -'.ejs'.length))
  const known: readonly string[] = ['layout', ...PAGES]
  const missing = known.filter((name) => !names.includes(name))
  for (const name of names) {
    const meant = known.includes(name) ? undefined : suggestion(name, missing)
    if (meant === undefined) continue
    throw new ConfigurationError(
      'templates',
      `has the file '${name}.ejs', which is no page`,
      `Did you mean '${meant}.ejs'?`,
    )
  }
}

/** They never change, so each is compiled once, however many providers there are. */
const builtIn = new Map<string, ejs.TemplateFunction>()

function compile(name: string, folder: string | undefined): ejs.TemplateFunction {
  const own = folder && join(folder, `${name}.ejs`)
  if (own && existsSync(own)) return compiled(own)
  const page = builtIn.get(name) ?? compiled(join(BUILT_IN, `${name}.ejs`))
  builtIn.set(name, page)
  return page
}

function compiled(filename: string): ejs.TemplateFunction {
  try {
    // A page that was copied from ours finds the parts that ours share.
    return ejs.compile(readFileSync(filename, 'utf8'), { filename, views: [BUILT_IN], cache: true })
  } catch (error) {
    throw new ConfigurationError(
      'templates',
      `has a page that does not compile: '${filename}' (${(error as Error).message.split('\n')[0]})`,
      'Mend it; it is EJS.',
      error,
    )
  }
}
