import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** One attribute of a name: its OID, its value, and the tag of that, which is UTF8String by default. */
export type Attribute = readonly [oid: string, value: string | Buffer, tag?: number]
/** A name, its most significant part first; or as it is encoded. */
export type Name = readonly (readonly Attribute[])[] | Buffer

export type AlternativeName = readonly [tag: number, value: string | Buffer] | Buffer

export interface CertificateOptions {
  readonly keys?: KeyPair
  readonly subject?: Name
  /** Alternative names by the tag of their kind: 0x81 email, 0x82 DNS, 0x86 URI, 0x87 IP address (RFC 5280 §4.2.1.6); or as they are encoded. */
  readonly names?: readonly AlternativeName[]
  /** Alternative names of the issuer. */
  readonly issuerNames?: readonly AlternativeName[]
  /** The first version has no extensions. */
  readonly version?: 1 | 3
  /** Who signs it; by default itself. */
  readonly issuer?: Certificate
  readonly isAuthority?: boolean
  readonly from?: Date
  readonly to?: Date
}

export interface Certificate {
  readonly keys: KeyPair
  readonly subject: Name
  /** PEM, as TLS wants them. */
  readonly key: string
  readonly cert: string
  /** DER. */
  readonly raw: Buffer
}

export const OID = {
  cn: '2.5.4.3',
  c: '2.5.4.6',
  o: '2.5.4.10',
  ou: '2.5.4.11',
  uid: '0.9.2342.19200300.100.1.1',
  email: '1.2.840.113549.1.9.1',
}

export function newKeys(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

/** A certificate that nobody but its own key vouches for, for TLS servers of tests. Made anew each time: a private key in a repository only alarms its readers. */
export function selfSignedCertificate(name: string): Certificate {
  return newCertificate({ subject: [[[OID.cn, name]]], names: [[0x82, name]] })
}

/** A certificate (RFC 5280). */
export function newCertificate(options: CertificateOptions = {}): Certificate {
  const {
    keys = newKeys(),
    subject = [[[OID.cn, 'client']]],
    from = new Date('2020-01-01'),
    to = new Date('2049-12-31'),
  } = options
  const { issuer = { keys, subject } } = options
  const algorithm = signatureAlgorithm(issuer.keys)
  const body = sequence(
    ...(options.version === 1 ? [] : [der(0xa0, der(0x02, Buffer.of(2)))]),
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    algorithm,
    name(issuer.subject),
    sequence(time(from), time(to)),
    name(subject),
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    ...extensions(options),
  )
  const signature = sign('sha256', body, issuer.keys.privateKey)
  const raw = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.of(0), signature])))
  return {
    keys,
    subject,
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: new X509Certificate(raw).toString(),
    raw,
  }
}

function signatureAlgorithm({ publicKey }: KeyPair): Buffer {
  return publicKey.asymmetricKeyType === 'rsa'
    ? sequence(oid('1.2.840.113549.1.1.11'), der(0x05, Buffer.alloc(0)))
    : sequence(oid('1.2.840.10045.4.3.2'))
}

function extensions({ names = [], issuerNames = [], isAuthority = false }: CertificateOptions): Buffer[] {
  const all = [
    ...alternatives('2.5.29.17', names),
    ...alternatives('2.5.29.18', issuerNames),
    ...(isAuthority ? [sequence(oid('2.5.29.19'), der(0x04, sequence(der(0x01, Buffer.of(0xff)))))] : []),
  ]
  return all.length === 0 ? [] : [der(0xa3, sequence(...all))]
}

function alternatives(type: string, names: readonly AlternativeName[]): Buffer[] {
  const encoded = names.map((one) => (Buffer.isBuffer(one) ? one : der(one[0], Buffer.from(one[1]))))
  return encoded.length === 0 ? [] : [sequence(oid(type), der(0x04, sequence(...encoded)))]
}

function name(value: Name): Buffer {
  if (Buffer.isBuffer(value)) return value
  return sequence(
    ...value.map((attributes) =>
      der(
        0x31,
        ...attributes
          .map(([type, value, tag = 0x0c]) => sequence(oid(type), der(tag, Buffer.from(value))))
          .sort(Buffer.compare),
      ),
    ),
  )
}

function time(date: Date): Buffer {
  return der(0x18, Buffer.from(`${date.toISOString().replace(/\.\d+|[-:T]/g, '')}`))
}

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  const { length } = content
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...head), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts)
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second, ...others].flatMap((arc) => {
    const groups = [arc & 0x7f]
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
      groups.unshift((rest & 0x7f) | 0x80)
    return groups
  })
  return der(0x06, Buffer.from(bytes))
}
