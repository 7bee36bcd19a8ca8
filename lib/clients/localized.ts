import type { ClientMetadata } from '../options.js'
import { invalid, string, webPage } from './fields.js'

const LOCALIZED = ['client_name', 'client_uri', 'logo_uri', 'policy_uri', 'tos_uri']

/** BCP 47, with no more parts than any language has. */
const LANGUAGE = /^[a-zA-Z]{2,8}(?:-[a-zA-Z0-9]{1,8}){0,6}$/

/** Whether a member of client metadata says in a language what another one says in none: `client_name#ja` (RFC 7591 §2.2). */
export function isLocalized(name: string): boolean {
  const [member = '', language = ''] = name.split(/#(.*)/s, 2)
  return LOCALIZED.includes(member) && language !== ''
}

/** They, under their own names; undefined where there are none. */
export function localizedFields(metadata: ClientMetadata): Readonly<Record<string, string>> | undefined {
  const named = Object.entries(metadata).filter(([name, value]) => isLocalized(name) && value !== undefined)
  if (named.length === 0) return undefined
  return Object.fromEntries(named.map(([name, value]) => [name, localizedField(name, value)]))
}

/** Refuses a localized member whose part behind # nobody can have meant. Until then it may be anything, and has no place in a reason. */
export function refuseNoLanguage(name: string): void {
  const [member = '', language = ''] = name.split(/#(.*)/s, 2)
  if (!LANGUAGE.test(language))
    throw invalid(member, 'has behind # what is no language', `Write a language tag there: ${member}#ja.`)
}

function localizedField(name: string, value: unknown): string {
  refuseNoLanguage(name)
  const text = name.startsWith('client_name#') ? string(name, value) : webPage(name, value)
  return text ?? ''
}
