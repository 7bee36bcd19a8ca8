/** One attribute as it is registered: its type as an OID, and its value as text, or as the hexadecimal digits of its encoding. */
export type NamedAttribute = { readonly oid: string } & ({ readonly text: string } | { readonly hex: string })

/** Nobody has a longer name. */
const LONGEST = 1000

/** RFC 4514 §3 and RFC 4519, with what RFC 5280 §4.1.2.4, the CA/Browser Forum and ETSI EN 319 412-1 put into certificates. */
const TYPES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    cn: '2.5.4.3',
    sn: '2.5.4.4',
    serialnumber: '2.5.4.5',
    c: '2.5.4.6',
    l: '2.5.4.7',
    st: '2.5.4.8',
    street: '2.5.4.9',
    o: '2.5.4.10',
    ou: '2.5.4.11',
    title: '2.5.4.12',
    description: '2.5.4.13',
    businesscategory: '2.5.4.15',
    postalcode: '2.5.4.17',
    name: '2.5.4.41',
    gn: '2.5.4.42',
    givenname: '2.5.4.42',
    initials: '2.5.4.43',
    generationqualifier: '2.5.4.44',
    dnqualifier: '2.5.4.46',
    pseudonym: '2.5.4.65',
    organizationidentifier: '2.5.4.97',
    uid: '0.9.2342.19200300.100.1.1',
    dc: '0.9.2342.19200300.100.1.25',
    emailaddress: '1.2.840.113549.1.9.1',
    jurisdictionl: '1.3.6.1.4.1.311.60.2.1.1',
    jurisdictionst: '1.3.6.1.4.1.311.60.2.1.2',
    jurisdictionc: '1.3.6.1.4.1.311.60.2.1.3',
  }),
)

/** A type, a value in which what has a meaning of its own is escaped, and what comes behind it. An OID is written in one way only (RFC 4512 §1.4). */
const ATTRIBUTE =
  /\s*([a-z][\w-]*|(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+)\s*=((?:\\(?:[\da-f]{2}|[ "#+,;<=>\\])|[^\0"+,;<>\\])*)([+,]|$)/iy

/**
 * The text of a distinguished name (RFC 4514 §2): its relative names, the most significant first as in a certificate, and the attributes of
 * each. Undefined for what is none, or names a type by a word that is not known.
 */
export function readDistinguishedName(text: string): readonly (readonly NamedAttribute[])[] | undefined {
  if (text.length > LONGEST) return undefined
  const name: NamedAttribute[][] = []
  let [relative, at]: [NamedAttribute[], number] = [[], 0]
  for (;;) {
    ATTRIBUTE.lastIndex = at
    const [whole = '', type = '', value = '', separator] = ATTRIBUTE.exec(text) ?? []
    const attribute = readAttribute(type.toLowerCase(), value)
    if (attribute === undefined || relative.some(({ oid }) => oid === attribute.oid)) return undefined
    relative.push(attribute)
    at += whole.length
    if (separator === '+') continue
    name.unshift(relative)
    if (separator === '') return name
    relative = []
  }
}

function readAttribute(type: string, value: string): NamedAttribute | undefined {
  const oid = /^\d/.test(type) ? type : TYPES.get(type)
  if (oid === undefined) return undefined
  const hex = /^\s*#((?:[\da-f]{2})+)\s*$/i.exec(value)?.[1]
  if (hex !== undefined) return { oid, hex: hex.toLowerCase() }
  const text = unescaped(value)
  return text === undefined ? undefined : { oid, text }
}

/** Spaces around a value count only where they are escaped; a number # at its beginning has to be. */
function unescaped(value: string): string | undefined {
  const parts = value.match(/\\[\da-f]{2}|\\.|[^\\]/giu) ?? []
  while (/^\s$/.test(parts[0] ?? '')) parts.shift()
  while (/^\s$/.test(parts.at(-1) ?? '')) parts.pop()
  if (parts[0] === '#') return undefined
  const bytes = parts.map((part) =>
    /^\\[\da-f]{2}$/i.test(part) ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part.replace(/^\\/, '')),
  )
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(bytes))
  } catch {
    return undefined
  }
}
