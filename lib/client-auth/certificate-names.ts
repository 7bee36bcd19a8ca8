/** An attribute of a certificate's subject: its type, its value as text where it is one, and the whole encoding of the value. */
export interface CertificateAttribute {
  readonly oid: string
  readonly text: string | undefined
  readonly hex: string
}

/** X.690 §8.1; the universal types of X.680 §8.6, and the context-specific ones of RFC 5280 §4.1 and §4.2.1.6. */
const TAG = { oid: 0x06, octets: 0x04, version: 0xa0, extensions: 0xa3, uri: 0x86 }
/** UTF8String, NumericString, PrintableString, TeletexString and IA5String, of which the last four are ASCII; and BMPString. */
const TEXTS: Readonly<Record<number, string>> = {
  ...{ 12: 'utf-8', 18: 'utf-8', 19: 'utf-8', 20: 'utf-8', 22: 'utf-8' },
  30: 'utf-16be',
}
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17'

/** The subject as it lies in the certificate: the attributes of each relative name, the most significant first. Throws where that is not DER. */
export function subjectNameOf(certificate: Uint8Array): readonly (readonly CertificateAttribute[])[] {
  const [, , , , subject] = fieldsOf(certificate)
  return elements(subject?.content).map(({ content }) =>
    elements(content).map((attribute) => {
      const [type, value] = elements(attribute.content)
      return {
        oid: oidOf(type),
        text: value && textOf(value),
        hex: value?.whole.toString('hex') ?? '',
      }
    }),
  )
}

/**
 * The URIs among the alternative names (RFC 5280 §4.2.1.6). Read from the certificate, since the text that Node makes of these names puts
 * what somebody chose between separators of its own (CVE-2021-44532).
 */
export function urisOf(certificate: Uint8Array): readonly string[] {
  const extensions = fieldsOf(certificate).find(({ tag }) => tag === TAG.extensions)
  const [list] = elements(extensions?.content)
  return elements(list?.content)
    .map(({ content }) => elements(content))
    .filter(([type]) => oidOf(type) === SUBJECT_ALTERNATIVE_NAME)
    .flatMap((extension) => elements(extension.find(({ tag }) => tag === TAG.octets)?.content))
    .flatMap(({ content }) => elements(content))
    .filter(({ tag }) => tag === TAG.uri)
    .map(({ content }) => content.toString('latin1'))
}

interface Element {
  readonly tag: number
  readonly content: Buffer
  readonly whole: Buffer
}

/** What the signature of a certificate is about: serial number, algorithm, issuer, validity, subject and so on (RFC 5280 §4.1). */
function fieldsOf(certificate: Uint8Array): readonly Element[] {
  const [signed] = elements(elements(Buffer.from(certificate))[0]?.content)
  const fields = elements(signed?.content)
  return fields[0]?.tag === TAG.version ? fields.slice(1) : fields
}

/** The values one behind the other. OpenSSL has read them before, so what is not DER is no more than refused. */
function elements(bytes: Buffer = Buffer.alloc(0)): readonly Element[] {
  const found: Element[] = []
  for (let at = 0; at < bytes.length; ) {
    const rest = bytes.subarray(at)
    const tag = rest.readUInt8(0)
    const first = rest.readUInt8(1)
    const long = first < 0x80 ? 0 : first - 0x80
    const length = first < 0x80 ? first : rest.readUIntBE(2, long)
    const start = 2 + long
    if ((tag & 0x1f) === 0x1f || start + length > rest.length) throw new RangeError('not DER')
    found.push({
      tag,
      content: rest.subarray(start, start + length),
      whole: rest.subarray(0, start + length),
    })
    at += start + length
  }
  return found
}

/** Undefined for other types, and for bytes that are no text. */
function textOf({ tag, content }: Element): string | undefined {
  const encoding = TEXTS[tag]
  if (encoding === undefined) return undefined
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(content)
  } catch {
    return undefined
  }
}

/** X.690 §8.19 */
function oidOf(element: Element | undefined): string {
  const arcs: bigint[] = []
  let arc = 0n
  for (const byte of element?.tag === TAG.oid ? element.content : []) {
    arc = (arc << 7n) | BigInt(byte & 0x7f)
    if (byte >= 0x80) continue
    arcs.push(arc)
    arc = 0n
  }
  const [first = 0n, ...others] = arcs
  const root = first < 80n ? first / 40n : 2n
  return [root, first - root * 40n, ...others].join('.')
}
