import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Catalogue, catalogueText, type Text, textOf } from './text.js'

/** The language of all that is no page, and of the texts that another language leaves out. */
export const FALLBACK = 'en'

/** From lib, and from dist/esm and dist/cjs. */
const FOLDERS = ['../templates/messages', '../../templates/messages']

/** They never change, so each language is read once. */
const known = new Map<string, Readonly<Record<string, string>>>()
let languages: readonly string[] | undefined

/** The languages that come with this package, the fallback first. */
export function builtInLanguages(): readonly string[] {
  languages ??= [FALLBACK, ...readdirSync(folder()).filter((name) => name !== FALLBACK)]
  return languages
}

/** The texts of one of them. */
export function builtInTexts(language: string): Readonly<Record<string, string>> {
  const kept = known.get(language)
  if (kept !== undefined) return kept
  const texts = textsIn(join(folder(), language))
  known.set(language, texts)
  return texts
}

/** A text as those hear it who are at no page: clients, logs, events. */
export function inEnglish(text: Text): string {
  return textOf(englishTexts(), text)
}

export function isBuiltIn(key: string): boolean {
  return catalogueText(englishTexts(), key) !== undefined
}

function englishTexts(): Catalogue {
  return { language: FALLBACK, texts: builtInTexts(FALLBACK) }
}

function textsIn(path: string): Readonly<Record<string, string>> {
  const files = readdirSync(path).map((name) => JSON.parse(readFileSync(join(path, name), 'utf8')))
  return Object.assign({}, ...files)
}

function folder(): string {
  const paths = FOLDERS.map((path) => fileURLToPath(new URL(path, import.meta.url)))
  const found = paths.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new Error('express-oauth-provider: its folder templates/messages is missing. Install it again.')
}
