import type { ClientMetadata } from '../../lib/index.js'

/** The private key of `pkj`. */
export const pkjKey = {
  kty: 'EC',
  crv: 'P-256',
  x: '8G0a0RRuyO6EUQOTpwNpmOEbMpen9-9o3RijpnWe8w8',
  y: 't-txoJUuklhIl2tcGcsRL5ACnps-dXCj-yUlb_mTGR0',
  d: 'd7nWS34BNRqBDwMKzTmXLFkKigSZT5u5jO5oudwe3pw',
}
/** The secret of `csj`, long enough for any MAC. */
export const csjSecret = 'csj-secret-that-has-the-sixty-four-bytes-which-HS512-wants-it-to-have'

const { d: _private, ...pkjPublicKey } = pkjKey

/** The clients of CHECKS' fixtures, by name. Secrets of the confidential ones are `<client_id>-secret`; but see above. */
export const clients: readonly ClientMetadata[] = [
  {
    client_id: 'conf',
    client_secret: 'conf-secret',
    client_name: 'Confidential',
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: ['https://rp.example/cb'],
  },
  {
    client_id: 'conf2',
    client_secret: 'conf2-secret',
    client_name: 'Confidential Two',
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: ['https://rp2.example/cb'],
  },
  {
    client_id: 'post',
    client_secret: 'post-secret',
    client_name: 'Poster',
    token_endpoint_auth_method: 'client_secret_post',
    redirect_uris: ['https://rp.example/cb'],
  },
  {
    client_id: 'either',
    client_secret: 'either-secret',
    client_name: 'Either',
    redirect_uris: ['https://rp.example/cb'],
  },
  {
    client_id: 'multi',
    client_secret: 'multi-secret',
    client_name: 'Multi',
    redirect_uris: ['https://rp.example/cb1', 'https://rp.example/cb2?x=1'],
  },
  { client_id: 'pub', client_name: 'Public', redirect_uris: ['https://spa.example/cb'] },
  {
    client_id: 'nat',
    client_name: 'Native',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://127.0.0.1/cb', 'http://[::1]/cb', 'http://localhost/cb', 'com.example.app:/cb'],
  },
  {
    client_id: 'off',
    client_secret: 'off-secret',
    client_name: 'Disabled',
    redirect_uris: ['https://rp.example/cb'],
    disabled: true,
  },
  {
    client_id: 'nopkce',
    client_secret: 'nopkce-secret',
    client_name: 'Without PKCE',
    redirect_uris: ['https://rp.example/cb'],
    require_pkce: false,
  },
  {
    client_id: 'first',
    client_secret: 'first-secret',
    client_name: 'First Party',
    redirect_uris: ['https://first.example/cb'],
    skip_consent: true,
  },
  {
    client_id: 'reader',
    client_secret: 'reader-secret',
    client_name: 'Reader',
    redirect_uris: ['https://rp.example/cb'],
    scope: 'read',
  },
  {
    client_id: 'once',
    client_secret: 'once-secret',
    client_name: 'Without refresh',
    redirect_uris: ['https://rp.example/cb'],
    grant_types: ['authorization_code'],
  },
  {
    client_id: 'pkj',
    client_name: 'Private Key',
    token_endpoint_auth_method: 'private_key_jwt',
    redirect_uris: ['https://rp.example/cb'],
    jwks: { keys: [{ ...pkjPublicKey, kid: 'pkj-1', alg: 'ES256', use: 'sig' }] },
  },
  {
    client_id: 'csj',
    client_secret: csjSecret,
    client_name: 'Secret MAC',
    token_endpoint_auth_method: 'client_secret_jwt',
    redirect_uris: ['https://rp.example/cb'],
  },
]
