import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { optional } from '../optional.js'
import type { ClientMetadata, Jwk } from '../options.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'
import { readDistinguishedName } from './distinguished-name.js'
import { boolean, invalid, string } from './fields.js'
import { publicKey } from './jwks.js'

type CertificateFields = Pick<Client, 'tlsClientAuthSubject' | 'tlsClientCertificateBoundAccessTokens'>
type Subject = NonNullable<Client['tlsClientAuthSubject']>
type SubjectField = keyof ClientMetadata & `tls_client_auth_s${string}`

const BOUND = 'tls_client_certificate_bound_access_tokens'

/** How each of them is written, and what it is then called. A name is compared with a name, so none may stand for several. */
const SUBJECTS: Readonly<
  Record<
    SubjectField,
    { readonly kind: Subject['kind']; isOne(value: string): boolean; readonly remedy: string }
  >
> = {
  tls_client_auth_subject_dn: {
    kind: 'dn',
    isOne: (value) => readDistinguishedName(value) !== undefined,
    remedy:
      'Write it as RFC 4514 has it, the most specific name first: openssl x509 -noout -subject -nameopt RFC2253; attributes that have no name there by their OID.',
  },
  tls_client_auth_san_dns: {
    kind: 'dns',
    isOne: (value) => /^[\w-]+(?:\.[\w-]+)*$/.test(value),
    remedy: "Write one name: 'client.example'.",
  },
  tls_client_auth_san_uri: {
    kind: 'uri',
    isOne: (value) => /^[\x21-\x7e]+$/.test(value) && URL.canParse(value),
    remedy: "Write one URI, as it is in the certificate: 'spiffe://example/client'.",
  },
  tls_client_auth_san_ip: {
    kind: 'ip',
    isOne: (value) => isIP(value) !== 0 && !value.includes('%'),
    remedy: "Write one address: '192.0.2.1', '2001:db8::1'.",
  },
  tls_client_auth_san_email: {
    kind: 'email',
    isOne: (value) => /^[\x21-\x3f\x41-\x7e]+@[\w.-]+$/.test(value),
    remedy: "Write one address: 'client@example.com'.",
  },
}
const SUBJECT_FIELDS = Object.keys(SUBJECTS) as SubjectField[]

/** How a client's certificate is known, and whether its tokens are bound to it (RFC 8705 §2.1.2, §3.4). */
export function certificateFields(
  metadata: ClientMetadata,
  { mtls }: Pick<Settings, 'mtls'>,
): CertificateFields {
  const bound = boolean(BOUND, metadata[BOUND])
  if (bound && mtls === undefined)
    throw invalid(BOUND, 'is true', 'Set the option mtls, or no client certificate is looked at.')
  return {
    ...optional('tlsClientAuthSubject', subjectOf(metadata)),
    ...optional('tlsClientCertificateBoundAccessTokens', bound),
  }
}

/** The same under the names of RFC 8705. */
export function certificateMetadata({
  tlsClientAuthSubject: subject,
  tlsClientCertificateBoundAccessTokens: bound,
}: Client): ClientMetadata {
  const field = SUBJECT_FIELDS.find((name) => SUBJECTS[name].kind === subject?.kind)
  return { ...(field && optional(field, subject?.value)), ...optional(BOUND, bound) }
}

/** Of a key that is registered with its certificate (RFC 7517 §4.7), the certificate has to be there and to be of this key. */
export function certificateProblem(jwk: Jwk): readonly [problem: string, remedy: string] | undefined {
  if (jwk.x5c === undefined) return undefined
  const [own]: readonly unknown[] = Array.isArray(jwk.x5c) ? jwk.x5c : []
  const made = publicKey(jwk)
  try {
    const certificate = new X509Certificate(Buffer.from(String(own), 'base64'))
    if ('key' in made && certificate.publicKey.equals(made.key)) return undefined
  } catch {}
  return [
    'an x5c that is no certificate of this key',
    'Give the certificate as Base64 (not base64url) of its DER, first in the list; or leave x5c out.',
  ]
}

function subjectOf(metadata: ClientMetadata): Subject | undefined {
  const [field, another] = SUBJECT_FIELDS.filter((name) => metadata[name] !== undefined)
  if (metadata.token_endpoint_auth_method !== 'tls_client_auth') {
    if (field === undefined) return undefined
    throw invalid(
      field,
      'stands without tls_client_auth',
      "Write token_endpoint_auth_method: 'tls_client_auth', or leave it out.",
    )
  }
  if (field === undefined)
    throw invalid(
      'tls_client_auth_subject_dn',
      'is missing beside tls_client_auth',
      `Give it, or one of ${SUBJECT_FIELDS.slice(1).join(', ')}.`,
    )
  if (another !== undefined)
    throw invalid(another, `stands beside ${field}`, 'Give one of them: a certificate is known by one name.')
  const { kind, isOne, remedy } = SUBJECTS[field]
  const value = string(field, metadata[field]) ?? ''
  if (isOne(value)) return { kind, value }
  throw invalid(field, 'is none', remedy)
}
