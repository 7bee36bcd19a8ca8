import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ClientMetadata, OAuthProvider } from '../lib/index.js'
import { Agent, encode } from './support/agent.js'
import {
  authorizeUrl,
  basic,
  CHALLENGE,
  callApi,
  decide,
  destination,
  signedIn,
  VERIFIER,
} from './support/flow.js'
import { type Host, startHost } from './support/host.js'

const CALLBACK = 'https://shop.example/cb'

let host: Host
let oauth: OAuthProvider
beforeAll(async () => {
  host = await startHost()
  oauth = host.oauth
})
afterAll(() => host.close())

interface Answer {
  readonly status: number
  readonly body: Record<string, string>
}

/** The whole flow of a client that is not one of the fixtures. */
async function flow(
  client: { client_id: string; client_secret?: string },
  redirectUri = CALLBACK,
): Promise<Answer> {
  const agent = await signedIn(host, 'alice')
  const page = await agent.follow(
    authorizeUrl(host, { params: { client_id: client.client_id, redirect_uri: redirectUri } }),
  )
  if (page.status === 400) return { status: 400, body: { error: 'page' } }
  const answer = page.text.includes('name="decision"') ? await decide(agent, page, 'approve') : page
  return token(client, {
    grant_type: 'authorization_code',
    code: destination(answer).searchParams.get('code') ?? '',
    redirect_uri: redirectUri,
    code_verifier: VERIFIER,
  })
}

async function token(
  { client_id, client_secret }: { client_id: string; client_secret?: string },
  form: Record<string, string>,
): Promise<Answer> {
  const response = await fetch(`${host.issuer}/token`, {
    method: 'POST',
    headers: client_secret === undefined ? {} : { authorization: basic(client_id, client_secret) },
    body: encode(client_secret === undefined ? { client_id, ...form } : form),
  })
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}

describe('create', () => {
  test('gives an id and, once, a secret of URL-safe characters, and the client works at once', async () => {
    const created = await oauth.clients.create({ client_name: 'Print Shop', redirect_uris: [CALLBACK] })
    expect(created.client_id).toMatch(/^[\w-]{16,}$/)
    expect(created.client_secret).toMatch(/^[\w-]{43,}$/)
    expect(created).toEqual({
      client_id: created.client_id,
      client_secret: created.client_secret,
      client_id_issued_at: Math.floor(host.now() / 1000),
      client_name: 'Print Shop',
      redirect_uris: [CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      skip_consent: false,
      require_pkce: true,
      disabled: false,
    })
    const tokens = await flow({ client_id: created.client_id, client_secret: created.client_secret! })
    expect(tokens.status).toBe(200)
    expect((await callApi(host, '/api/read', tokens.body.access_token)).body.clientId).toBe(created.client_id)
    expect(await oauth.clients.get(created.client_id)).not.toHaveProperty('client_secret')
    expect(JSON.stringify(await oauth.clients.list())).not.toContain(created.client_secret)
  })

  test('two clients never share an id or a secret', async () => {
    const many = await Promise.all(
      Array.from({ length: 50 }, () => oauth.clients.create({ redirect_uris: [CALLBACK] })),
    )
    expect(new Set(many.map(({ client_id }) => client_id)).size).toBe(50)
    expect(new Set(many.map(({ client_secret }) => client_secret)).size).toBe(50)
  })

  test('makes a public client of token_endpoint_auth_method none, without a secret', async () => {
    const created = await oauth.clients.create({
      token_endpoint_auth_method: 'none',
      redirect_uris: ['com.example.app:/cb'],
    })
    expect(created).not.toHaveProperty('client_secret')
    expect(created.token_endpoint_auth_method).toBe('none')
    expect((await flow(created, 'com.example.app:/cb')).status).toBe(200)
    expect(
      (await token({ ...created, client_secret: 'x' }, { grant_type: 'refresh_token' })).body.error,
    ).toBe('invalid_client')
  })

  test('takes an id and a secret that the host chose; the secret may have any visible character', async () => {
    for (const [index, client_secret] of ['päss:wörd %+&=', 'a'.repeat(200)].entries()) {
      const client_id = `chosen ${index}`
      const created = await oauth.clients.create({ client_id, client_secret, redirect_uris: [CALLBACK] })
      expect(created.client_id).toBe(client_id)
      expect((await flow({ client_id, client_secret })).status).toBe(200)
      const wrong = { client_id, client_secret: `${client_secret.slice(0, -1)}b` }
      expect((await token(wrong, { grant_type: 'refresh_token' })).status).toBe(401)
    }
  })

  test('refuses an id that is taken, by a client of the options too', async () => {
    await oauth.clients.create({ client_id: 'taken', redirect_uris: [CALLBACK] })
    for (const client_id of ['taken', 'conf'])
      await expect(oauth.clients.create({ client_id, redirect_uris: [CALLBACK] })).rejects.toThrow(/taken/)
  })

  test('tells of it by event, without the secret', async () => {
    const { client_id, client_secret } = await oauth.clients.create({ redirect_uris: [CALLBACK] })
    expect(host.events.at(-1)).toEqual({
      name: 'client.changed',
      event: { clientId: client_id, change: 'created', by: 'host' },
    })
    expect(JSON.stringify(host.events)).not.toContain(client_secret)
  })
})

describe('resources that a client could look at no token of', () => {
  const api = { grant_types: [], resources: ['https://elsewhere.example/api'] }

  test('are refused, with the cure: those of a public client, and those of hosts for which there are no tokens', async () => {
    const code = { code: 'invalid_client_metadata', reason: 'metadata_resources' }
    const open = { ...api, token_endpoint_auth_method: 'none', resources: [`${host.origin}/api`] }
    for (const metadata of [api, open])
      await expect(oauth.clients.create(metadata)).rejects.toMatchObject(code)
    await expect(oauth.clients.create(api)).rejects.toThrow(/elsewhere.*Add it to the option resources/)
    await expect(oauth.clients.create(open)).rejects.toThrow(/public client.*Give it a secret or a key/)
    const { client_id } = await oauth.clients.create({ ...api, resources: [`${host.origin}/api`] })
    await expect(oauth.clients.update(client_id, { resources: api.resources })).rejects.toMatchObject(code)
    const fixed = { ...api, client_id: 'api', client_secret: 'api-secret' }
    await expect(startHost({ provider: { clients: [fixed] } })).rejects.toMatchObject({
      option: 'clients[0].resources',
    })
  })

  test('are taken where the option resources names that host', async () => {
    const provider = { clients: [], resources: { 'https://elsewhere.example/': {} } }
    const own = await startHost({ provider, api: false })
    const { client_id } = await own.oauth.clients.create(api)
    expect((await own.oauth.clients.get(client_id))?.resources).toEqual(api.resources)
    await own.close()
  })
})

describe('every field of the metadata is checked, and a refusal names it', () => {
  const good: ClientMetadata = { redirect_uris: [CALLBACK] }
  const wrong: readonly (readonly [string, unknown, string, RegExp])[] = [
    ['no object', null, 'invalid_client_metadata', /client_name/],
    ['an array', [], 'invalid_client_metadata', /client_name/],
    [
      'an unknown field',
      { ...good, client_nam: 'x' },
      'invalid_client_metadata',
      /client_nam is not known\. Did you mean client_name\?/,
    ],
    [
      'a camelCase field',
      { redirectUris: [CALLBACK] },
      'invalid_client_metadata',
      /redirectUris is not known\. Did you mean redirect_uris\?/,
    ],
    ['client_id empty', { ...good, client_id: '' }, 'invalid_client_metadata', /client_id/],
    ['client_id a number', { ...good, client_id: 5 }, 'invalid_client_metadata', /client_id/],
    [
      'ROB-05 client_id with NUL',
      { ...good, client_id: 'a\0b' },
      'invalid_client_metadata',
      /client_id.*invisible/,
    ],
    [
      'ROB-05 client_id with a zero-width space',
      { ...good, client_id: 'a\u200bb' },
      'invalid_client_metadata',
      /client_id.*invisible/,
    ],
    [
      'ROB-05 client_id with a space at its end',
      { ...good, client_id: 'a ' },
      'invalid_client_metadata',
      /client_id/,
    ],
    [
      'client_id of 256 characters',
      { ...good, client_id: 'a'.repeat(256) },
      'invalid_client_metadata',
      /client_id/,
    ],
    ['client_secret empty', { ...good, client_secret: '' }, 'invalid_client_metadata', /client_secret/],
    [
      'client_secret undefined',
      { ...good, client_secret: undefined },
      'invalid_client_metadata',
      /client_secret.*environment/,
    ],
    ['client_secret a number', { ...good, client_secret: 5 }, 'invalid_client_metadata', /client_secret/],
    [
      'client_secret with a line break',
      { ...good, client_secret: 'abc\n' },
      'invalid_client_metadata',
      /client_secret/,
    ],
    [
      'client_name a number',
      { ...good, client_name: 5 },
      'invalid_client_metadata',
      /client_name is not a string/,
    ],
    ['client_name empty', { ...good, client_name: '' }, 'invalid_client_metadata', /client_name/],
    [
      'client_uri a script',
      { ...good, client_uri: 'javascript:alert(1)' },
      'invalid_client_metadata',
      /client_uri.*https/,
    ],
    [
      'client_uri http',
      { ...good, client_uri: 'http://x.example' },
      'invalid_client_metadata',
      /client_uri.*https/,
    ],
    [
      'logo_uri data',
      { ...good, logo_uri: 'data:image/svg+xml,x' },
      'invalid_client_metadata',
      /logo_uri.*https/,
    ],
    [
      'an unknown method',
      { ...good, token_endpoint_auth_method: 'basic' },
      'invalid_client_metadata',
      /token_endpoint_auth_method.*client_secret_basic/,
    ],
    [
      'none beside a secret',
      { ...good, token_endpoint_auth_method: 'none', client_secret: 'x' },
      'invalid_client_metadata',
      /token_endpoint_auth_method.*none beside/,
    ],
    [
      'grant_types no array',
      { ...good, grant_types: 'authorization_code' },
      'invalid_client_metadata',
      /grant_types is not an array/,
    ],
    [
      'grant_types unknown',
      { ...good, grant_types: ['implicit'] },
      'invalid_client_metadata',
      /grant_types has implicit.*authorization_code/,
    ],
    [
      'response_types token',
      { ...good, response_types: ['token'] },
      'invalid_client_metadata',
      /response_types has token/,
    ],
    ['scope no string', { ...good, scope: ['read'] }, 'invalid_client_metadata', /scope is not a string/],
    [
      'scope with a quote',
      { ...good, scope: 'read "write"' },
      'invalid_client_metadata',
      /scope has a character/,
    ],
    ['scope of spaces', { ...good, scope: '  ' }, 'invalid_client_metadata', /scope/],
    [
      'skip_consent a string',
      { ...good, skip_consent: 'false' },
      'invalid_client_metadata',
      /skip_consent.*true nor false/,
    ],
    ['disabled a number', { ...good, disabled: 0 }, 'invalid_client_metadata', /disabled.*true nor false/],
    [
      'require_pkce null',
      { ...good, require_pkce: null },
      'invalid_client_metadata',
      /require_pkce.*true nor false/,
    ],
    [
      'PKCE-01 require_pkce false without a secret',
      { ...good, token_endpoint_auth_method: 'none', require_pkce: false },
      'invalid_client_metadata',
      /require_pkce.*secret/,
    ],
    ['no redirect_uris', {}, 'invalid_redirect_uri', /at least one/],
    ['redirect_uris empty', { redirect_uris: [] }, 'invalid_redirect_uri', /at least one/],
    [
      'redirect_uris a string',
      { redirect_uris: CALLBACK },
      'invalid_client_metadata',
      /redirect_uris is not an array/,
    ],
    [
      'redirect_uris of numbers',
      { redirect_uris: [5] },
      'invalid_client_metadata',
      /redirect_uris is not an array of strings/,
    ],
  ]
  test.each(wrong)('%s', async (_, metadata, code, message) => {
    const known = (await oauth.clients.list()).length
    const refusal = oauth.clients.create(metadata as ClientMetadata)
    await expect(refusal).rejects.toThrow(message)
    await expect(refusal).rejects.toMatchObject({
      name: 'OAuthError',
      code,
      reason: expect.stringMatching(/^metadata_/),
    })
    expect(await oauth.clients.list()).toHaveLength(known)
  })

  test.each([
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'java%0ascript:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://rp.example/x',
    'about:blank',
    'view-source:https://rp.example',
    'intent://rp.example#Intent;end',
    'filesystem:https://rp.example/x',
    'ftp://rp.example/cb',
    'ws://rp.example/cb',
    'wss://rp.example/cb',
    'mailto:a@rp.example',
    'http://rp.example/cb',
    'http://localhost.evil.example/cb',
    'http://user@localhost/cb',
    'https://user:pw@rp.example/cb',
    'https://rp.example/cb#x',
    'https://rp.example/cb#',
    'https://*.rp.example/cb',
    'https://rp.example/*',
    'https://rp.example\\@evil.test/cb',
    'https:/\\evil.test',
    'https:evil.test',
    'https:///evil.test',
    '//rp.example/cb',
    '/cb',
    'rp.example/cb',
    'https://rp.example/c b',
    'https://rp.example/cb\t',
    'https://rp.example/\u00e9',
    'https://rp.example/cb?code=x',
    'https://rp.example/cb?x=1&state=y',
    'https://rp.example/cb?iss=https://evil.test',
    'https://rp.example/cb?error=x',
    'https://rp.example/cb?id_token=x',
    'https://rp.example/cb?%63ode=x',
    '',
  ])(
    'RURI-05 RURI-11 RURI-16 the redirect URI %p is refused, for clients with a secret and without',
    async (uri) => {
      for (const method of ['none', 'client_secret_basic']) {
        const metadata = { redirect_uris: [CALLBACK, uri], token_endpoint_auth_method: method }
        await expect(oauth.clients.create(metadata)).rejects.toMatchObject({ code: 'invalid_redirect_uri' })
      }
    },
  )

  test('a private-use scheme is for public clients (RFC 8252 §7.1), with and without a dot', async () => {
    for (const uri of ['com.example.app:/cb', 'cursor://anysphere/cb']) {
      await expect(
        oauth.clients.create({ redirect_uris: [uri], token_endpoint_auth_method: 'none' }),
      ).resolves.toMatchObject({ redirect_uris: [uri] })
      await expect(oauth.clients.create({ redirect_uris: [uri] })).rejects.toThrow(
        /public clients.*RFC 8252 section 7\.1\)\. Leave client_secret out/,
      )
    }
  })

  test('RURI-16 a private-use redirect URI may not bring answer parameters either', async () => {
    await expect(
      oauth.clients.create({ redirect_uris: ['app:/cb?code=x'], token_endpoint_auth_method: 'none' }),
    ).rejects.toMatchObject({ code: 'invalid_redirect_uri' })
  })

  test('a scope that is misspelt is refused, at create and at update, and one that nobody offers is kept', async () => {
    const misspelt = { redirect_uris: [CALLBACK], scope: 'openid raed' }
    const told = { code: 'invalid_client_metadata', reason: 'metadata_scope' }
    await expect(oauth.clients.create(misspelt)).rejects.toMatchObject(told)
    await expect(oauth.clients.create(misspelt)).rejects.toThrow(/'raed'\. Did you mean 'read'\?/)
    const { client_id, scope } = await oauth.clients.create({ ...misspelt, scope: 'read calendar' })
    expect(scope).toBe('read calendar')
    await expect(oauth.clients.update(client_id, { scope: 'wirte' })).rejects.toThrow(/'write'/)
  })

  test('INJ-10 names of Object.prototype are no fields', async () => {
    for (const text of ['{"__proto__":{"x":1}}', '{"constructor":{"prototype":{"x":1}}}', '{"toString":1}']) {
      const metadata = { ...good, ...JSON.parse(text) }
      if (Object.hasOwn(metadata, '__proto__') || Object.keys(metadata).length > 1)
        await expect(oauth.clients.create(metadata)).rejects.toThrow(/not known/)
    }
    const own = JSON.parse('{"redirect_uris":["https://x.example/cb"],"__proto__":{"disabled":true}}')
    await expect(oauth.clients.create(own)).rejects.toThrow(/__proto__ is not known/)
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})

describe('get and list', () => {
  test('know the clients of the options first, then the stored ones, oldest first', async () => {
    const other = await startHost()
    const a = await other.oauth.clients.create({ client_id: 'z-first', redirect_uris: [CALLBACK] })
    other.advance(1)
    const b = await other.oauth.clients.create({ client_id: 'a-second', redirect_uris: [CALLBACK] })
    const ids = (await other.oauth.clients.list()).map(({ client_id }) => client_id)
    expect(ids[0]).toBe('conf')
    expect(ids.slice(-2)).toEqual([a.client_id, b.client_id])
    expect(await other.oauth.clients.get('conf')).toMatchObject({ client_name: 'Confidential' })
    expect(JSON.stringify(await other.oauth.clients.list())).not.toMatch(/secret"|sha256|bcrypt|conf-secret/)
    await other.close()
  })

  test('an id that is not there is undefined', async () => {
    for (const id of ['nobody', '', 'CONF', '__proto__', "' OR '1'='1"])
      expect(await oauth.clients.get(id)).toBeUndefined()
  })

  test('CODE-10 no secret rests in clear', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'oauth-'))
    const file = path.join(folder, 'oauth.db')
    const other = await startHost({ provider: { store: file } })
    const generated = await other.oauth.clients.create({ redirect_uris: [CALLBACK] })
    const secret = 'a-secret-that-a-person-chose'
    await other.oauth.clients.create({ client_secret: secret, redirect_uris: [CALLBACK] })
    const bytes = [file, `${file}-wal`].map((name) => readFileSync(name, 'latin1')).join('')
    expect(bytes).toContain(generated.client_id)
    expect(bytes).not.toContain(generated.client_secret)
    expect(bytes).not.toContain(secret)
    await other.close()
  })
})

describe('update', () => {
  test('says a name in one more language, and takes it back with undefined', async () => {
    const names = { client_name: 'Print Shop', 'client_name#de': 'Druckerei', 'client_name#fr': 'Imprimerie' }
    const { client_id } = await oauth.clients.create({ ...names, redirect_uris: [CALLBACK] })
    await oauth.clients.update(client_id, { 'client_name#de': undefined, 'client_name#fr': 'Atelier' })
    const client = await oauth.clients.get(client_id)
    expect(client?.['client_name#fr']).toBe('Atelier')
    expect(client).not.toHaveProperty(['client_name#de'])
  })

  test('changes what is named, at once, and leaves the rest, the secret too', async () => {
    const { client_secret = '', ...created } = await oauth.clients.create({
      client_name: 'Before',
      redirect_uris: [CALLBACK],
      scope: 'read',
      client_uri: 'https://shop.example',
    })
    const updated = await oauth.clients.update(created.client_id, { client_name: 'After <b>' })
    expect(updated).toEqual({ ...created, client_name: 'After <b>' })
    const page = await (await signedIn(host, 'bob')).follow(
      authorizeUrl(host, { params: { client_id: created.client_id, redirect_uri: CALLBACK } }),
    )
    expect(page.text).toContain('After &lt;b&gt;')
    expect((await flow({ client_id: created.client_id, client_secret })).status).toBe(200)
    expect(
      host.events.find(({ event }) => event.change === 'updated' && event.clientId === created.client_id),
    ).toBeDefined()
  })

  test('a redirect URI that was taken away is refused at once', async () => {
    const client = await oauth.clients.create({ redirect_uris: [CALLBACK, 'https://shop.example/old'] })
    await oauth.clients.update(client.client_id, { redirect_uris: [CALLBACK] })
    const page = await new Agent(host).get(
      authorizeUrl(host, {
        params: { client_id: client.client_id, redirect_uri: 'https://shop.example/old' },
      }),
    )
    expect(page.status).toBe(400)
    expect(page.location).toBeUndefined()
  })

  test('a disabled client is as unknown as any other, until it is enabled', async () => {
    const { client_id, client_secret = '' } = await oauth.clients.create({ redirect_uris: [CALLBACK] })
    const { body } = await flow({ client_id, client_secret })
    await oauth.clients.update(client_id, { disabled: true })
    expect(await oauth.clients.get(client_id)).toMatchObject({ disabled: true })
    expect((await flow({ client_id, client_secret })).body.error).toBe('page')
    const renew = { grant_type: 'refresh_token', refresh_token: body.refresh_token! }
    expect(await token({ client_id, client_secret }, renew)).toMatchObject({
      status: 401,
      body: { error: 'invalid_client' },
    })
    await oauth.clients.update(client_id, { disabled: false })
    expect((await token({ client_id, client_secret }, renew)).status).toBe(200)
  })

  test.each([
    ['client_id', { client_id: 'other' }],
    ['client_secret', { client_secret: 'x' }],
    ['scope', { scope: 'a"b' }],
    ['redirect_uris', { redirect_uris: ['javascript:alert(1)'] }],
    ['token_endpoint_auth_method', { token_endpoint_auth_method: 'none' }],
    ['clientName', { clientName: 'x' }],
    ['metadata', null],
  ])('refuses a wrong %s and changes nothing', async (_, changes) => {
    const { client_secret: _secret, ...created } = await oauth.clients.create({ redirect_uris: [CALLBACK] })
    await expect(oauth.clients.update(created.client_id, changes as never)).rejects.toMatchObject({
      name: 'OAuthError',
    })
    expect(await oauth.clients.get(created.client_id)).toEqual(created)
  })

  test('a public client cannot leave PKCE out', async () => {
    const { client_id } = await oauth.clients.create({
      redirect_uris: [CALLBACK],
      token_endpoint_auth_method: 'none',
    })
    await expect(oauth.clients.update(client_id, { require_pkce: false })).rejects.toThrow(/require_pkce/)
  })

  test('one that is not there, or stands in the options, is named', async () => {
    await expect(oauth.clients.update('nobody', {})).rejects.toMatchObject({ code: 'invalid_client' })
    await expect(oauth.clients.update('conf', {})).rejects.toMatchObject({ name: 'ConfigurationError' })
  })
})

test('of two who create one client_id at once, one is told that it is taken', async () => {
  const metadata = { client_id: 'twice', redirect_uris: ['https://a.example/cb'] }
  const results = await Promise.allSettled([oauth.clients.create(metadata), oauth.clients.create(metadata)])
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  const [refused] = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  expect(refused).toMatchObject({ code: 'invalid_client_metadata', reason: 'metadata_client_id' })
})

describe('rotateSecret', () => {
  test('is not undone by an update at the same time, and undoes none', async () => {
    for (let round = 0; round < 20; round++) {
      const { client_id } = await oauth.clients.create({ redirect_uris: ['https://a.example/cb'] })
      const [{ client_secret }] = await Promise.all([
        oauth.clients.rotateSecret(client_id),
        oauth.clients.update(client_id, { client_name: 'Renamed' }),
      ])
      expect(await oauth.clients.get(client_id)).toMatchObject({ client_name: 'Renamed' })
      const response = await fetch(`${host.issuer}/token`, {
        method: 'POST',
        headers: { authorization: basic(client_id, client_secret) },
        body: new URLSearchParams({ grant_type: 'authorization_code', code: 'none' }),
      })
      expect(await response.json()).toMatchObject({ error: 'invalid_grant' })
    }
  })

  test('gives a new secret; the old one ends at once, one that bcrypt remembered too', async () => {
    for (const chosen of [{}, { client_secret: 'chosen-by-a-person' }]) {
      const { client_id, client_secret = '' } = await oauth.clients.create({
        redirect_uris: [CALLBACK],
        ...chosen,
      })
      const { body } = await flow({ client_id, client_secret })
      const rotated = await oauth.clients.rotateSecret(client_id)
      expect(rotated).toEqual({ client_id, client_secret: expect.stringMatching(/^[\w-]{43,}$/) })
      const renew = { grant_type: 'refresh_token', refresh_token: body.refresh_token! }
      expect((await token({ client_id, client_secret }, renew)).body.error).toBe('invalid_client')
      expect((await token(rotated, renew)).status).toBe(200)
      expect(
        host.events.some(({ event }) => event.clientId === client_id && event.change === 'secret_rotated'),
      ).toBe(true)
      expect(JSON.stringify(host.events)).not.toContain(rotated.client_secret)
    }
  })

  test('refuses a public client, one of the options, and one that is not there', async () => {
    const { client_id } = await oauth.clients.create({
      redirect_uris: [CALLBACK],
      token_endpoint_auth_method: 'none',
    })
    await expect(oauth.clients.rotateSecret(client_id)).rejects.toThrow(/public/)
    await expect(oauth.clients.rotateSecret('conf')).rejects.toThrow(/clients names the client 'conf'/)
    await expect(oauth.clients.rotateSecret('nobody')).rejects.toMatchObject({ code: 'invalid_client' })
  })
})

describe('delete', () => {
  test('ends the client, its grants and its tokens, and takes an open consent page with it', async () => {
    const { client_id, client_secret = '' } = await oauth.clients.create({ redirect_uris: [CALLBACK] })
    const { body } = await flow({ client_id, client_secret })
    const bob = await signedIn(host, 'bob')
    const open = await bob.follow(authorizeUrl(host, { params: { client_id, redirect_uri: CALLBACK } }))
    expect(await oauth.clients.delete(client_id)).toBe(true)
    expect(host.events.at(-1)).toEqual({
      name: 'client.changed',
      event: { clientId: client_id, change: 'deleted', by: 'host' },
    })
    expect(await oauth.clients.get(client_id)).toBeUndefined()
    expect(await oauth.grants.list({ clientId: client_id })).toEqual([])
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(401)
    const renew = { grant_type: 'refresh_token', refresh_token: body.refresh_token! }
    expect((await token({ client_id, client_secret }, renew)).body.error).toBe('invalid_client')
    const late = await decide(bob, open, 'approve')
    expect(late.status).toBe(400)
    expect(late.location).toBeUndefined()
  })

  test('a client made anew under the same id has nothing of the old one', async () => {
    const first = await oauth.clients.create({ client_id: 'again', redirect_uris: [CALLBACK] })
    const { body } = await flow({ client_id: 'again', client_secret: first.client_secret! })
    await oauth.clients.delete('again')
    const second = await oauth.clients.create({ client_id: 'again', redirect_uris: [CALLBACK] })
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(401)
    const renew = { grant_type: 'refresh_token', refresh_token: body.refresh_token! }
    expect(
      (await token({ client_id: 'again', client_secret: second.client_secret! }, renew)).body.error,
    ).toBe('invalid_grant')
    const page = await (await signedIn(host, 'alice')).follow(
      authorizeUrl(host, {
        params: { client_id: 'again', redirect_uri: CALLBACK, code_challenge: CHALLENGE },
      }),
    )
    expect(page.text).toContain('name="decision"')
  })

  test('answers false where there is none, and refuses one of the options', async () => {
    expect(await oauth.clients.delete('nobody')).toBe(false)
    await expect(oauth.clients.delete('conf')).rejects.toThrow(/clients names the client 'conf'/)
    expect(await oauth.clients.get('conf')).toBeDefined()
  })
})
