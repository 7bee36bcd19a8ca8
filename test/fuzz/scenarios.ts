import { basic, CHALLENGE, VERIFIER } from '../support/flow.js'

/** A request that is right but for one thing, so that nothing can come of it by accident. */
export interface Scenario {
  /** As in the table of routes; `:id` is replaced by `id`. */
  readonly route: string
  readonly id?: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly form?: Readonly<Record<string, string>>
  /** The form is sent as JSON. */
  readonly json?: true
  /** Whether it is sent by a browser in which somebody is signed in. */
  readonly browser?: true
  readonly authorization?: string
  /** Below the root of the host and not below the mount. */
  readonly atRoot?: true
}

export const AUTHORIZATION_REQUEST = {
  response_type: 'code',
  client_id: 'conf',
  redirect_uri: 'https://rp.example/cb',
  scope: 'openid read',
  state: 's',
  code_challenge: CHALLENGE,
  code_challenge_method: 'S256',
  prompt: 'consent',
  nonce: 'n',
}

const MORE_OF_IT = {
  max_age: '100',
  response_mode: 'form_post',
  ui_locales: 'de en',
  login_hint: 'alice',
  acr_values: 'x',
  display: 'page',
  claims: '{"userinfo":{"name":null},"id_token":{"auth_time":{"essential":true}}}',
  authorization_details: '[{"type":"payment","amount":"1.00"}]',
}

/** As a JWT that `pkj` has signed. */
const SIGNED_REQUEST = `<<signed ${JSON.stringify({ claims: { ...AUTHORIZATION_REQUEST, client_id: 'pkj' } })}>>`

const CONF = basic('conf', 'conf-secret')
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** Of the client whose metadata lie at a URL. */
const BY_DOCUMENT = { ...AUTHORIZATION_REQUEST, client_id: '<<document>>' }
/** How `pkj` proves itself. */
const BY_KEY = {
  client_id: 'pkj',
  client_assertion: '<<signed {}>>',
  client_assertion_type: ASSERTION,
}

const METADATA = {
  client_name: 'Hostile',
  redirect_uris: '["https://rp.example/cb"]',
  grant_types: '["authorization_code","refresh_token"]',
  scope: 'read',
}
const MORE_METADATA = {
  ...METADATA,
  'client_name#de': 'Feindlich',
  client_uri: 'https://rp.example/',
  logo_uri: 'https://rp.example/logo.png',
  policy_uri: 'https://rp.example/policy',
  contacts: '["a@rp.example"]',
  jwks: '{"keys":[{"kty":"EC","crv":"P-256","x":"x","y":"y"}]}',
  token_endpoint_auth_method: 'private_key_jwt',
  subject_type: 'public',
  default_max_age: '1',
  post_logout_redirect_uris: '["https://rp.example/out"]',
  backchannel_logout_uri: 'https://rp.example/back',
  authorization_details_types: '["payment"]',
}

const browser = true
const json = true
const csrf = { _csrf: '<<csrf>>' }
const as = (grant_type: string, form: Record<string, string>, client = 'conf'): Scenario => ({
  route: '/token',
  method: 'POST',
  form: { grant_type, ...form },
  authorization: client === 'conf' ? CONF : basic(client, `${client}-secret`),
})
const page = (route: string, query: Record<string, string> = {}, id?: string): Scenario => ({
  ...{ route, method: 'GET', form: query, browser },
  ...(id !== undefined && { id }),
})
const submit = (route: string, form: Record<string, string>, id?: string): Scenario => ({
  ...{ route, method: 'POST', form: { ...csrf, ...form }, browser },
  ...(id !== undefined && { id }),
})

/** By a name that says what is asked. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  authorize: page('/authorize', AUTHORIZATION_REQUEST),
  'authorize with all': page('/authorize', { ...AUTHORIZATION_REQUEST, ...MORE_OF_IT }),
  'authorize nobody': { route: '/authorize', method: 'GET', form: AUTHORIZATION_REQUEST },
  'authorize by POST': { ...page('/authorize', AUTHORIZATION_REQUEST), method: 'POST' },
  'authorize pushed': page('/authorize', { client_id: 'conf', request_uri: '<<request_uri>>' }),
  'authorize pushed by key': page('/authorize', { client_id: 'pkj', request_uri: '<<request_uri>>' }),
  'authorize by document': page('/authorize', BY_DOCUMENT),
  'authorize by object': page('/authorize', { client_id: 'pkj', request: SIGNED_REQUEST }),
  consent: page('/consent/:id', {}, '<<consent>>'),
  'consent decided': submit('/consent/:id', { decision: 'later', scope: 'read' }, '<<consent>>'),
  device: page('/device', { user_code: '<<user_code>>' }),
  'device with code': page('/device/:id', {}, '<<user_code>>'),
  'device decided': submit('/device', { user_code: '<<user_code>>', decision: 'later' }),
  'device decided at its code': submit('/device/:id', { decision: 'later' }, '<<user_code>>'),
  logout: page('/logout', {
    ...{
      id_token_hint: '<<id_token>>',
      client_id: 'pub',
      state: 's',
      logout_hint: 'alice',
      ui_locales: 'de',
    },
    post_logout_redirect_uri: 'https://rp.example/out',
  }),
  'logout decided': submit('/logout', { decision: 'later', id_token_hint: '<<id_token>>', state: 's' }),
  'authorized applications': page('/authorized-applications', { after: 'x' }),
  'authorized applications withdrawn': submit('/authorized-applications', { grant: 'x', scope: 'read' }),
  applications: page('/applications'),
  'applications created': submit(
    '/applications/:id',
    {
      ...{ type: 'web', client_name: 'Mine', redirect_uris: 'https://mine.example/cb', scope: 'read' },
      ...{ client_uri: 'https://mine.example/', policy_uri: '', tos_uri: '', form: '<<form>>' },
    },
    'new',
  ),
  'applications new': page('/applications/:id', {}, 'new'),
  'applications posted': submit('/applications', {}),
  application: page('/applications/:id', { code: 'x', state: 'x' }, '<<application>>'),
  'application changed': submit(
    '/applications/:id',
    {
      action: 'save',
      client_name: 'Mine',
      redirect_uris: 'https://mine.example/cb',
      scope: 'read',
      revision: '1',
    },
    '<<application>>',
  ),
  'application secret': submit(
    '/applications/:id',
    { action: 'rotate', overlap: '0', form: '<<form>>' },
    '<<application>>',
  ),
  admin: page('/admin', { q: 'x', after: 'x', withdraw: 'read' }),
  'admin withdraws': submit('/admin', { act: 'withdraw', scope: 'none' }),
  'admin client': page('/admin/client', {
    id: '<<application>>',
    confirm: 'revoke',
    done: 'verify',
    count: '1',
  }),
  'admin client changed': submit('/admin/client', {
    ...{ id: '<<application>>', act: 'verify', revision: '1', scope: 'read', grant: 'x' },
  }),
  'admin user': page('/admin/user', { id: 'bob', confirm: 'revoke', after: 'x' }),
  'admin user changed': submit('/admin/user', { id: 'bob', act: 'revoke', grant: 'x', scope: 'read' }),
  'admin audit': page('/admin/audit', {
    ...{
      event: 'token.issued',
      client: 'conf',
      user: 'alice',
      since: '2020-01-01',
      until: '2030-01-01',
    },
  }),
  'token by code': as('authorization_code', {
    ...{ code: '<<code>>', redirect_uri: 'https://rp.example/cb', code_verifier: VERIFIER },
    resource: '<<origin>>/api',
  }),
  'token by refresh': as('refresh_token', { refresh_token: '<<refresh_token>>', scope: 'read' }),
  'token by device code': as(DEVICE, { device_code: '<<device_code>>' }),
  'token by exchange': as(
    EXCHANGE,
    {
      ...{ subject_token: '<<access_token>>', subject_token_type: ACCESS_TOKEN, scope: 'read' },
      requested_token_type: ACCESS_TOKEN,
      ...{ resource: '<<origin>>/api', audience: 'x' },
    },
    'worker',
  ),
  'token by assertion': as(JWT_BEARER, { assertion: '<<id_token>>', scope: 'read' }, 'worker'),
  'token by client assertion': {
    ...as('refresh_token', {
      refresh_token: 'x',
      ...BY_KEY,
    }),
    authorization: '',
  },
  'token by code and key': {
    route: '/token',
    method: 'POST',
    form: {
      ...{ grant_type: 'authorization_code', code: '<<code>>', redirect_uri: 'https://rp.example/cb' },
      ...{ code_verifier: VERIFIER, ...BY_KEY },
    },
  },
  'token by document': {
    route: '/token',
    method: 'POST',
    form: { grant_type: 'refresh_token', refresh_token: '<<refresh_token>>', client_id: '<<document>>' },
  },
  'device authorization by document': {
    ...{ route: '/device_authorization', method: 'POST' },
    form: { client_id: '<<document>>', scope: 'read' },
  },
  'revoke by document': {
    ...{ route: '/revoke', method: 'POST' },
    form: { client_id: '<<document>>', token: '<<access_token>>' },
  },
  'token by secret': {
    ...as('refresh_token', { refresh_token: 'x', client_id: 'post', client_secret: 'post-secret' }),
    authorization: '',
  },
  revoke: {
    ...{ route: '/revoke', method: 'POST', authorization: CONF },
    form: { token: '<<access_token>>', token_type_hint: 'refresh_token' },
  },
  introspect: {
    ...{ route: '/introspect', method: 'POST', authorization: CONF },
    form: { token: '<<access_token>>', token_type_hint: 'access_token' },
  },
  par: {
    route: '/par',
    method: 'POST',
    authorization: CONF,
    form: { ...AUTHORIZATION_REQUEST, ...MORE_OF_IT },
  },
  'par by key': {
    route: '/par',
    method: 'POST',
    form: { ...AUTHORIZATION_REQUEST, ...MORE_OF_IT, ...BY_KEY },
  },
  'par by document': { route: '/par', method: 'POST', form: BY_DOCUMENT },
  'par by object': { route: '/par', method: 'POST', authorization: CONF, form: { request: '<<id_token>>' } },
  'device authorization': {
    ...{ route: '/device_authorization', method: 'POST' },
    form: {
      ...{ client_id: 'tv', scope: 'read', code_challenge: CHALLENGE, code_challenge_method: 'S256' },
      ...{ resource: '<<origin>>/api', authorization_details: MORE_OF_IT.authorization_details },
    },
  },
  'userinfo with proof': { route: '/userinfo', method: 'GET', authorization: 'DPoP <<access_token>>' },
  userinfo: { route: '/userinfo', method: 'GET', authorization: 'Bearer x' },
  'userinfo by form': { route: '/userinfo', method: 'POST', form: { access_token: 'x' } },
  jwks: { route: '/jwks', method: 'GET' },
  register: { route: '/register', method: 'POST', json, form: METADATA },
  'register all': { route: '/register', method: 'POST', json, form: MORE_METADATA },
  registration: {
    ...{ route: '/register/:id', id: '<<registered>>', method: 'GET' },
    authorization: 'Bearer <<registration_token>>',
  },
  'registration replaced': {
    ...{ route: '/register/:id', id: '<<registered>>', method: 'PUT', json },
    ...{ form: { client_id: '<<registered>>', ...METADATA }, authorization: 'Bearer <<registration_token>>' },
  },
  'registration deleted': {
    ...{ route: '/register/:id', id: '<<registered>>', method: 'DELETE', authorization: 'Bearer x' },
  },
  'server metadata': { route: '/.well-known/oauth-authorization-server', method: 'GET' },
  'OpenID metadata': { route: '/.well-known/openid-configuration', method: 'GET' },
  'resource metadata': { route: '/.well-known/oauth-protected-resource/api', method: 'GET', atRoot: true },
  'metadata at the root': {
    route: '/.well-known/oauth-authorization-server/oauth',
    method: 'GET',
    atRoot: true,
  },
  'the API': { route: '/api/read', method: 'GET', authorization: 'Bearer x', atRoot: true },
}

/** Every parameter that any of them knows. */
export const PARAMETERS: readonly string[] = [
  ...new Set([
    ...Object.values(SCENARIOS).flatMap(({ form = {} }) => Object.keys(form)),
    ...[
      'code_verifier',
      'dpop_jkt',
      'client_secret',
      'client_assertion',
      'registration',
      'software_statement',
      'actor_token',
      'id_token_hint',
      'before',
      'username',
      'id',
      'actor_token',
    ],
    ...['iss', 'decision', 'initial_access_token', 'jwks_uri', 'client_id', 'request', 'request_uri'],
  ]),
]
