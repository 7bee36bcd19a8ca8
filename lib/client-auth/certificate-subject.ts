import { X509Certificate } from 'node:crypto'
import { type NamedAttribute, readDistinguishedName } from '../clients/distinguished-name.js'
import type { Client } from '../store/records.js'
import { type CertificateAttribute, subjectNameOf, urisOf } from './certificate-names.js'

type Subject = NonNullable<Client['tlsClientAuthSubject']>

/** RFC 8705 §2.1.2: alternative names alone are looked at for an alternative name, and a wildcard in one is no more than a character. */
const MATCHES: Readonly<Record<Subject['kind'], (certificate: X509Certificate, value: string) => boolean>> = {
  dn: ({ raw }, value) => isSubject(raw, value),
  dns: (certificate, value) =>
    certificate.checkHost(value, { subject: 'never', wildcards: false }) !== undefined,
  uri: ({ raw }, value) => urisOf(raw).includes(value),
  ip: (certificate, value) => certificate.checkIP(value) !== undefined,
  email: (certificate, value) => certificate.checkEmail(value, { subject: 'never' }) !== undefined,
}

/** Whether a certificate is about whom a client has registered. */
export function hasSubject(raw: Uint8Array, { kind, value }: Subject): boolean {
  try {
    return MATCHES[kind](new X509Certificate(raw), value)
  } catch {
    // Some of what OpenSSL lets pass cannot be read here.
    return false
  }
}

/** Attribute by attribute: names that are written alike are not always the same (RFC 4514 §5.2). */
function isSubject(raw: Uint8Array, text: string): boolean {
  const wanted = readDistinguishedName(text)
  const subject = subjectNameOf(raw)
  if (wanted?.length !== subject.length) return false
  return wanted.every((attributes, index) => {
    const found = subject[index] ?? []
    return (
      attributes.length === found.length && attributes.every((one) => found.some((it) => isSame(one, it)))
    )
  })
}

function isSame(wanted: NamedAttribute, { oid, text, hex }: CertificateAttribute): boolean {
  return wanted.oid === oid && ('text' in wanted ? wanted.text === text : wanted.hex === hex)
}
