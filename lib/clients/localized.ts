import type { ClientMetadata } from '../options.js'
import { invalid, string, webPage } from './fields.js'

const LOCALIZED = ['client_name', 'client_uri', 'logo_uri', 'policy_uri', 'tos_uri']

/** Whether a member of client metadata says in a language what another one says in none: `client_name#ja` (RFC 7591 §2.2). */
export function isLocalized(name: string): boolean {
  const [member = '', language = ''] = name.split(/#(.*)/s, 2)
  return LOCALIZED.includes(member) && language !== ''
}

/** They, under their own names; undefined where there are none. */
export function localizedFields(metadata: ClientMetadata): Readonly<Record<string, string>> | undefined {
  const named = Object.entries(metadata).filter(([name]) => isLocalized(name))
  if (named.length === 0) return undefined
  return Object.fromEntries(named.map(([name, value]) => [name, localizedField(name, value)]))
}

function localizedField(name: string, value: unknown): string {
  const [, language = ''] = name.split(/#(.*)/s, 2)
  // BCP 47, as far as a page has to know it.
  if (!/^[a-zA-Z]{2,8}(?:-[a-zA-Z0-9]{1,8})*$/.test(language))
    throw invalid(name, 'names no language', 'Write a language tag behind #: client_name#ja.')
  const text = name.startsWith('client_name#') ? string(name, value) : webPage(name, value)
  return text ?? ''
}
