import { invalid } from '../clients/fields.js'
import { isLocalized, refuseNoLanguage } from '../clients/localized.js'
import { toMetadata } from '../clients/metadata.js'
import { isStrangerField, refuseTooMuch, strangerMetadata } from '../clients/stranger-metadata.js'
import type { ClientMetadata } from '../options.js'
import type { Client } from '../store/records.js'
import { canonicalMetadata } from './canonical.js'

/** In UTF-16 code units: a longer one would hide what else the consent page says. */
const LONGEST_NAME = 200

/** What a client declares of itself in a JSON object. Nothing of it is checked yet but that it can be kept and shown. */
export function declaredIn(json: unknown): ClientMetadata {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw invalid('metadata', 'is not a JSON object', 'Send { "redirect_uris": ["..."] }.')
  // RFC 7592 §2.2: null says the same as leaving a member out.
  const declared = Object.entries(json).filter(([name, value]) => value !== null && isStrangerField(name))
  refuseTooMuch(Object.fromEntries(declared))
  for (const [name, value] of declared) {
    if (isLocalized(name)) refuseNoLanguage(name)
    const [member] = name.split('#', 1)
    if (member === 'client_name') checkName(name, value)
  }
  const metadata = Object.fromEntries(declared)
  canonicalMetadata(metadata)
  return metadata
}

/** What a client has declared, as it was registered. */
export function declaredBy(client: Client): ClientMetadata {
  return strangerMetadata(toMetadata(client))
}

/** Users decide by it, so it must not turn the text around it about, nor be one that cannot be seen. */
function checkName(field: string, name: unknown): void {
  if (typeof name !== 'string') return
  if (name.length > LONGEST_NAME)
    throw invalid(field, `is longer than ${LONGEST_NAME} characters`, 'Give a shorter name.')
  if (/[\u202a-\u202e\u2066-\u2069]/.test(name) || !/[^\p{C}\p{Z}\p{M}]/u.test(name))
    throw invalid(
      field,
      'cannot be seen, or changes the direction of text',
      'Give a name of visible characters.',
    )
}
