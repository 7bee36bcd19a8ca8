import type { Text } from '../text.js'
import { isWebPage } from './fields.js'
import type { ApplicationFields, ApplicationKind } from './own-clients.js'
import { RESPONSE_PARAMETERS, redirectUriProblem } from './redirect-uris.js'

const MOST_REDIRECT_URIS = 20
/** Characters. */
const LONGEST_NAME = 100
const LONGEST_URI = 2000

/** What is wrong with what a user says of an application, by field; nothing where all of it is right. */
export type FieldProblems = Readonly<Partial<Record<keyof ApplicationFields, Text>>>

/**
 * What a registration would refuse of it, and what is asked of a user beyond that: all at once, so that nobody has to mend one after the other, and
 * in words that pages have in every language.
 */
export function fieldProblems(kind: ApplicationKind, fields: ApplicationFields): FieldProblems {
  const found = {
    client_name: ofName(fields.client_name),
    redirect_uris: ofRedirectUris(kind, fields.redirect_uris),
    // None would stand for all.
    scope: fields.scope === '' ? problem('no_scope') : undefined,
    client_uri: ofPage(fields.client_uri),
    policy_uri: ofPage(fields.policy_uri),
    tos_uri: ofPage(fields.tos_uri),
  }
  return Object.fromEntries(Object.entries(found).filter(([, text]) => text !== undefined))
}

function ofName(name: string): Text | undefined {
  if (name.trim() === '') return problem('no_name')
  return name.length > LONGEST_NAME ? problem('long_name', { most: String(LONGEST_NAME) }) : undefined
}

function ofRedirectUris(kind: ApplicationKind, uris: readonly string[]): Text | undefined {
  if (uris.length === 0) return kind === 'device' ? undefined : problem('no_uri')
  if (uris.length > MOST_REDIRECT_URIS) return problem('many_uris', { most: String(MOST_REDIRECT_URIS) })
  for (const uri of uris) {
    if (uri.length > LONGEST_URI) return tooLong()
    const found = redirectUriProblem(uri, { isPublic: kind !== 'web', reserved: RESPONSE_PARAMETERS })
    if (found) return { key: `applications.redirect_uri.${found.flaw}`, values: { uri, name: found.name } }
  }
  return undefined
}

function ofPage(uri: string | undefined): Text | undefined {
  if (uri === undefined) return undefined
  if (uri.length > LONGEST_URI) return tooLong()
  return isWebPage(uri) ? undefined : problem('no_page')
}

function tooLong(): Text {
  return problem('long_uri', { most: String(LONGEST_URI) })
}

function problem(name: string, values: Text['values'] = {}): Text {
  return { key: `applications.problem.${name}`, values }
}
