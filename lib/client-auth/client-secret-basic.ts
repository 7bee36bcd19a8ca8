import { OAuthError } from '../errors.js'
import type { AuthMethod } from './credentials.js'
import { invalidClient } from './refusal.js'

/** RFC 6749 §2.3.1: id and secret are form-urlencoded before they are joined and Base64-encoded (RFC 7617). */
export const clientSecretBasic: AuthMethod = {
  isPresented({ authorization }) {
    return authorization !== undefined && /^basic(?: |$)/i.test(authorization)
  },
  read({ authorization = '', parameters }) {
    const encoded = authorization.slice('basic '.length).trim()
    const decoded = decodeBase64(encoded)
    const colon = decoded?.indexOf(':') ?? -1
    if (decoded === undefined || colon < 1) throw malformed()
    const clientId = decodeFormValue(decoded.slice(0, colon))
    const rawSecret = decoded.slice(colon + 1)
    const secret = decodeFormValue(rawSecret)
    if (clientId === undefined || rawSecret === '') throw malformed()
    const bodyClientId = parameters.get('client_id')
    if (bodyClientId !== undefined && bodyClientId !== clientId) {
      throw new OAuthError(
        'invalid_request',
        'client_id in the body is another one than in the Authorization header.',
        {
          reason: 'client_id_conflict',
        },
      )
    }
    // Some clients leave the encoding out, which shows with secrets that hold + or %.
    const secrets = secret === undefined ? [rawSecret] : [...new Set([secret, rawSecret])]
    return { clientId, verify: (client, { guard, from }) => guard.check(client, secrets, from) }
  },
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Buffer skips what is not Base64, and a decoder a byte order mark: neither may make two headers the same. */
function decodeBase64(encoded: string): string | undefined {
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.toString('base64') !== encoded) return undefined
  try {
    return UTF_8.decode(bytes)
  } catch {
    return undefined
  }
}

function decodeFormValue(value: string): string | undefined {
  try {
    const decoded = decodeURIComponent(value.replaceAll('+', ' '))
    return decoded.includes('\0') ? undefined : decoded
  } catch {
    return undefined
  }
}

function malformed(): OAuthError {
  return invalidClient(
    'The Authorization header is not Basic with base64(form-urlencoded client_id : form-urlencoded client_secret).',
    'basic_malformed',
  )
}
