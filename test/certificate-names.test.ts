import type { ClientMetadata } from '../lib/index.js'
import { type CertificateOptions, newCertificate, newKeys, OID } from './support/certificate.js'
import { tokenEndpoint } from './support/client-endpoints.js'
import { type Host, startHost } from './support/host.js'
import { exchange } from './support/mutual-tls.js'
import { expectRefusal } from './support/token-endpoint.js'

/** What names in certificates are compared with: registered, in the certificate, and whether they are the same. */
const NAMES: readonly (readonly [
  what: string,
  metadata: Partial<ClientMetadata>,
  options: CertificateOptions,
  same: boolean,
])[] = [
  ...(
    [
      ['a name', 'CN=a,O=b', [[[OID.o, 'b']], [[OID.cn, 'a']]], true],
      ['spaces around separators', 'CN = a , O= b', [[[OID.o, 'b']], [[OID.cn, 'a']]], true],
      ['types in any case, and by OID', 'cn=a,2.5.4.10=b', [[[OID.o, 'b']], [[OID.cn, 'a']]], true],
      ['the other order', 'O=b,CN=a', [[[OID.o, 'b']], [[OID.cn, 'a']]], false],
      ['its beginning', 'O=b', [[[OID.o, 'b']], [[OID.cn, 'a']]], false],
      ['its end', 'CN=a', [[[OID.o, 'b']], [[OID.cn, 'a']]], false],
      ['more than it', 'CN=a,O=b,C=GB', [[[OID.o, 'b']], [[OID.cn, 'a']]], false],
      ['capitals', 'CN=A', [[[OID.cn, 'a']]], false],
      ['another type', 'OU=a', [[[OID.cn, 'a']]], false],
      ['escaped characters', 'CN=a\\,\\+\\"\\\\\\<\\>\\;\\=b', [[[OID.cn, 'a,+"\\<>;=b']]], true],
      ['escaped bytes', 'CN=\\C3\\A9t\\c3\\a9', [[[OID.cn, 'été']]], true],
      ['characters beyond ASCII', 'CN=été 🔑', [[[OID.cn, 'été 🔑']]], true],
      ['escaped spaces and #', 'CN=\\#\\ a\\ ', [[[OID.cn, '# a ']]], true],
      ['spaces that are not escaped', 'CN= a ', [[[OID.cn, ' a ']]], false],
      ['a separator in a value', 'CN=a,O=b', [[[OID.cn, 'a,O=b']]], false],
      ['a plus in a value', 'CN=a+O=b', [[[OID.cn, 'a+O=b']]], false],
      ['a line break in a value', 'CN=b,CN=a', [[[OID.cn, 'a\nCN=b']]], false],
      ['NUL in a value', 'CN=a', [[[OID.cn, 'a\0.example']]], false],
      [
        'several values at once',
        'UID=1+CN=a,O=b',
        [
          [[OID.o, 'b']],
          [
            [OID.cn, 'a'],
            [OID.uid, '1'],
          ],
        ],
        true,
      ],
      [
        'several values, in two names',
        'UID=1,CN=a',
        [
          [
            [OID.cn, 'a'],
            [OID.uid, '1'],
          ],
        ],
        false,
      ],
      [
        'one of several values',
        'CN=a',
        [
          [
            [OID.cn, 'a'],
            [OID.uid, '1'],
          ],
        ],
        false,
      ],
      [
        'several values, of which one is another',
        'UID=1+CN=a',
        [
          [
            [OID.cn, 'a'],
            [OID.uid, '2'],
          ],
        ],
        false,
      ],
      ['PrintableString', 'CN=a', [[[OID.cn, 'a', 0x13]]], true],
      ['BMPString', 'CN=aé', [[[OID.cn, Buffer.from([0, 0x61, 0, 0xe9]), 0x1e]]], true],
      ['bytes whose text nobody knows', 'CN=é', [[[OID.cn, Buffer.of(0xe9), 0x14]]], false],
      ['the encoding of such bytes', 'CN=#1401E9', [[[OID.cn, Buffer.of(0xe9), 0x14]]], true],
      ['a value as its encoding', 'CN=#0C0161', [[[OID.cn, 'a']]], true],
      ['another encoding', 'CN=#130161', [[[OID.cn, 'a']]], false],
      ['an encoding that is text there', 'CN=#0c0161', [[[OID.cn, '#0c0161']]], false],
      [
        'an email address',
        'emailAddress=a@b.example,CN=a',
        [[[OID.cn, 'a']], [[OID.email, 'a@b.example', 0x16]]],
        true,
      ],
      ['an encoding without a length', 'CN=a', Buffer.from('3080310a300806035504030c01610000', 'hex'), false],
      [
        'one that is longer than it needs to be',
        'CN=a',
        Buffer.from('30810c310a300806035504030c0161', 'hex'),
        true,
      ],
      ['a type whose number is long', '2.999.1234567=x', [[['2.999.1234567', 'x']]], true],
      ['a type without a name', '1.3.6.1.4.1.99999.300=x', [[['1.3.6.1.4.1.99999.300', 'x']]], true],
    ] as const
  ).map(
    ([what, dn, subject, same]) =>
      [`${what}: ${dn}`, { tls_client_auth_subject_dn: dn }, { subject }, same] as const,
  ),
  ...(
    [
      ['dns', 'a.client.example', [[0x82, '*.client.example']], false],
      ['dns', 'client.example', [[0x82, 'x, DNS:client.example']], false],
      ['dns', 'client.example', [[0x82, 'x", DNS:client.example, DNS:"']], false],
      ['dns', 'client.example', [[0x82, 'client.example\0.evil.example']], false],
      ['dns', 'client.example', [[0x82, '.example']], false],
      ['dns', 'client.example', [[0x86, 'client.example']], false],
      ['dns', 'client.example', [[0x86, 'https://x/, DNS:client.example']], false],
      ['dns', 'client.example', [[0x82, 'sub.client.example']], false],
      [
        'dns',
        'client.example',
        [
          [0x82, 'one.example'],
          [0x82, 'client.example'],
        ],
        true,
      ],
      ['uri', 'spiffe://a/b', [[0x86, 'spiffe://a/b']], true],
      ['uri', 'spiffe://a/b', [[0x86, 'spiffe://a/B']], false],
      ['uri', 'spiffe://a/b', [[0x86, 'spiffe://a/b/c']], false],
      ['uri', 'spiffe://a/b', [[0x86, 'x:y, URI:spiffe://a/b']], false],
      ['uri', 'spiffe://a/b', [[0x86, 'x:"y", URI:"spiffe://a/b"']], false],
      ['uri', 'spiffe://a/b', [[0x86, 'spiffe://a/b\0c']], false],
      ['uri', 'spiffe://a/b', [[0x82, 'spiffe://a/b']], false],
      ['uri', 'spiffe://a/b', [[0x82, 'x, URI:spiffe://a/b']], false],
      [
        'uri',
        'spiffe://a/b',
        [
          [0x82, 'a'.repeat(200)],
          [0x82, 'b'.repeat(200)],
          [0x86, 'spiffe://a/b'],
        ],
        true,
      ],
      // Names whose encoding is broken, which nobody has looked at before.
      ['uri', 'spiffe://a/b', [Buffer.concat([Buffer.of(0x86, 0x20), Buffer.from('spiffe://a/b')])], false],
      [
        'uri',
        'spiffe://a/b',
        [Buffer.concat([Buffer.of(0x9f, 1, 14, 0x86, 12), Buffer.from('spiffe://a/b')])],
        false,
      ],
      ['ip', '2001:db8::1', [[0x87, Buffer.from('20010db8000000000000000000000001', 'hex')]], true],
      ['ip', '2001:DB8:0:0:0:0:0:1', [[0x87, Buffer.from('20010db8000000000000000000000001', 'hex')]], true],
      ['ip', '192.0.2.1', [[0x87, Buffer.of(192, 0, 2, 2)]], false],
      ['ip', '192.0.2.1', [[0x82, '192.0.2.1']], false],
      ['ip', '192.0.2.1', [[0x87, Buffer.of(192, 0, 2, 1, 255, 255, 255, 0)]], false],
      ['email', 'a@b.example', [[0x81, 'a@B.example']], true],
      ['email', 'a@b.example', [[0x81, 'A@b.example']], false],
      ['email', 'a@b.example', [[0x81, 'a@b.example.evil.example']], false],
      ['email', 'a@b.example', [[0x82, 'a@b.example']], false],
      ['email', 'a@b.example', [[0x81, 'x, email:a@b.example']], false],
    ] as const
  ).map(
    ([kind, value, names, same]) =>
      [
        `${kind} ${value} and ${names.map(([, name]) => JSON.stringify(String(name)))}`,
        { [`tls_client_auth_san_${kind}`]: value },
        // What stands in the subject counts for no alternative name.
        { names, subject: [[[OID.cn, value]], [[OID.email, value, 0x16]]] },
        same,
      ] as const,
  ),
  [
    'a name of the issuer',
    { tls_client_auth_san_uri: 'spiffe://a/b' },
    { issuerNames: [[0x86, 'spiffe://a/b']] },
    false,
  ],
  [
    'a name beside one of the issuer',
    { tls_client_auth_san_uri: 'spiffe://a/b' },
    { names: [[0x86, 'spiffe://a/b']], issuerNames: [[0x86, 'spiffe://c']] },
    true,
  ],
  ['the first version', { tls_client_auth_subject_dn: 'CN=client' }, { version: 1 }, true],
  ['no alternative name', { tls_client_auth_san_uri: 'spiffe://a/b' }, { version: 1 }, false],
]

let host: Host
beforeAll(async () => {
  const clients = NAMES.map(([, subject], index) => ({
    client_id: `name-${index}`,
    token_endpoint_auth_method: 'tls_client_auth',
    redirect_uris: ['https://rp.example/cb'],
    ...subject,
  }))
  host = await startHost({ provider: { clients, mtls: { clientCertificateHeader: 'client-cert' } } })
})
afterAll(() => host.close())

const keys = newKeys()

describe('RFC 8705 §2.1.2 names in certificates', () => {
  test.each(NAMES.map(([what, , options, same], index) => ({ what, index, options, same })))(
    '$what: $same',
    async ({ index, options, same }) => {
      const { raw } = newCertificate({ keys, ...options })
      const answer = await exchange(`${host.issuer}/token`, {
        form: { ...tokenEndpoint.probe, client_id: `name-${index}` },
        headers: { 'client-cert': `:${raw.toString('base64')}:` },
      })
      if (same) return expectRefusal(answer, 400, 'invalid_grant')
      expectRefusal(answer, 401, 'invalid_client')
      expect(host.events.at(-1)?.event).toMatchObject({ reason: 'certificate_subject' })
    },
  )
})
