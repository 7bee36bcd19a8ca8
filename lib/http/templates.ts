import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ejs from 'ejs'
import { ConfigurationError } from '../errors.js'
import type { PageLocals, PageName } from '../options.js'

const BUILT_IN = fileURLToPath(new URL('../../templates/', import.meta.url))
const NAMES = ['layout', 'consent', 'error', 'continue', 'authorized-applications'] as const

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
  const pages = new Map(NAMES.map((name) => [name, compile(name, folder)]))
  const render = (name: (typeof NAMES)[number], locals: object) => pages.get(name)?.(locals) ?? ''
  return (page, locals) => render('layout', { ...locals, body: render(page, locals) })
}

function compile(name: string, folder: string | undefined): ejs.TemplateFunction {
  const own = folder && join(folder, `${name}.ejs`)
  const filename = own && existsSync(own) ? own : join(BUILT_IN, `${name}.ejs`)
  try {
    return ejs.compile(readFileSync(filename, 'utf8'), { filename })
  } catch (error) {
    throw new ConfigurationError(
      'templates',
      `has a page that does not compile: '${filename}' (${(error as Error).message.split('\n')[0]})`,
      'Mend it; it is EJS.',
      error,
    )
  }
}
