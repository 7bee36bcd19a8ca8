import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

export const MODULES = ['esm', 'commonjs', 'typescript'] as const
export const USERS = ['session', 'passport', 'other'] as const

/** How the app is written. */
export type Module = (typeof MODULES)[number]
/** How the app keeps in mind who is signed in. */
export type Users = (typeof USERS)[number]

/** What the folder says of the app. */
export interface Project {
  readonly module: Module
  /** Whether package.json says that files are ES modules. */
  readonly isModule: boolean
  readonly users: Users
  /** Of the packages that every app with this provider needs, the forms on its pages a session among them, those that package.json does not name. */
  readonly missing: readonly string[]
}

/** Each with what may stand in its place. */
const NEEDED = [['express'], ['express-session', 'cookie-session'], ['express-oauth-provider']] as const

export function projectIn(folder: string): Project {
  const manifest = readManifest(path.join(folder, 'package.json'))
  const packages = { ...asObject(manifest.devDependencies), ...asObject(manifest.dependencies) }
  const isModule = manifest.type === 'module'
  const isTyped = 'typescript' in packages || existsSync(path.join(folder, 'tsconfig.json'))
  return {
    module: isTyped ? 'typescript' : isModule ? 'esm' : 'commonjs',
    isModule,
    users: 'passport' in packages ? 'passport' : 'express-session' in packages ? 'session' : 'other',
    missing: NEEDED.filter((names) => !names.some((name) => name in packages)).map(([name]) => name),
  }
}

/** The file that Node takes for what it is, whatever package.json says. */
export function fileNameFor(module: Module, isModule: boolean): string {
  if (module === 'typescript') return 'oauth.ts'
  if (module === 'esm') return isModule ? 'oauth.js' : 'oauth.mjs'
  return isModule ? 'oauth.cjs' : 'oauth.js'
}

function readManifest(file: string): Readonly<Record<string, unknown>> {
  try {
    return asObject(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return {}
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
