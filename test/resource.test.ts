import Database from 'better-sqlite3'
import { decodeJwt } from 'jose'
import type { OAuthProviderOptions } from '../lib/index.js'
import type { Form } from './support/agent.js'
import { expectErrorRedirect } from './support/answers.js'
import {
  authorizeUrl,
  callApi,
  decide,
  destination,
  getCode,
  getTokens,
  redeem,
  refresh,
  signedIn,
  toConsent,
} from './support/flow.js'
import { type Host, startHost, type User } from './support/host.js'
import { expectRefusal } from './support/token-endpoint.js'

type Resources = NonNullable<OAuthProviderOptions['resources']>

/** Guards a route for any live token, and one more that needs the scope `write`. */
function mount(host: Host, ...paths: string[]): void {
  for (const path of paths) {
    host.app.get(path, host.oauth.requireToken(), (req, res) => {
      res.json({ scopes: req.auth.scopes, resource: req.auth.resource.href })
    })
    host.app.get(`${path}/write`, host.oauth.requireToken('write'), (_req, res) => res.json({}))
  }
}

async function startResources(
  resources: (origin: string) => Resources,
  provider: Partial<OAuthProviderOptions<User>> = {},
): Promise<Host> {
  const host = await startHost({ provider: (origin) => ({ resources: resources(origin), ...provider }) })
  mount(host, '/files', '/mcp')
  return host
}

const status = async (host: Host, path: string, token: string) => (await callApi(host, path, token)).status

let open: Host
let listed: Host
beforeAll(async () => {
  open = await startHost()
  mount(open, '/mcp', '/files')
  listed = await startResources((origin) => ({
    [`${origin}/api`]: { scopes: ['read'] },
    [`${origin}/files`]: {},
    [`${origin}/Mixed/Case/`]: { scopes: ['read'] },
  }))
})
afterAll(() => Promise.all([open.close(), listed.close()]))

/** An authorization request with these resources, as a signed-in user. */
async function asked(host: Host, resource: string | readonly string[], params: Form = {}) {
  const agent = await signedIn(host, 'alice')
  return agent.get(authorizeUrl(host, { params: { resource, ...params } }))
}

describe('RSRC-01 what a token is for', () => {
  test('is the resource that was asked for at /authorize and at /token', async () => {
    const resource = `${open.origin}/api`
    const { code } = await getCode(open, { params: { resource } })
    const { body } = await redeem(open, code, { form: { resource } })
    expect(await status(open, '/api/read', body.access_token)).toBe(200)
    expect(await status(open, '/mcp', body.access_token)).toBe(401)
  })

  test('follows from /authorize where the token request names none', async () => {
    const { access_token } = await getTokens(open, { params: { resource: `${open.origin}/mcp` } })
    expect(await status(open, '/mcp', access_token)).toBe(200)
    expect(await status(open, '/api/read', access_token)).toBe(401)
  })

  test('can be named first at /token: it lies in the default, which is the whole origin', async () => {
    const { code } = await getCode(open)
    const { body } = await redeem(open, code, { form: { resource: `${open.origin}/mcp` } })
    expect(await status(open, '/mcp', body.access_token)).toBe(200)
    expect(await status(open, '/api/read', body.access_token)).toBe(401)
    // What was granted is still all of it.
    const again = await refresh(open, body.refresh_token)
    expect(await status(open, '/api/read', again.body.access_token)).toBe(200)
  })

  test('by default is the origin of the issuer, with and without the option resources', async () => {
    for (const host of [open, listed]) {
      const { access_token } = await getTokens(host)
      for (const path of ['/api/read', '/files']) expect(await status(host, path, access_token)).toBe(200)
    }
  })

  test('an empty resource is none', async () => {
    const { access_token } = await getTokens(open, { params: { resource: '' } })
    expect(await status(open, '/files', access_token)).toBe(200)
    const { code } = await getCode(open, { params: { resource: ['', `${open.origin}/mcp`] } })
    const { body } = await redeem(open, code, { form: { resource: '' } })
    expect(await status(open, '/mcp', body.access_token)).toBe(200)
    expect(await status(open, '/files', body.access_token)).toBe(401)
  })
})

describe('RFC 8707 §2 a resource that is not served here is invalid_target, at each of the three places', () => {
  const foreign: readonly (readonly [string, (origin: string) => string])[] = [
    ['another host', () => 'https://other.example/api'],
    ['another port', (origin) => `${origin.replace(/\d+$/, '1')}/api`],
    ['another scheme', (origin) => `${origin.replace('http:', 'https:')}/api`],
    ['a host that begins alike', (origin) => `${origin}.evil.example/api`],
    ['a fragment', (origin) => `${origin}/api#x`],
    ['an empty fragment', (origin) => `${origin}/api#`],
    ['a path alone', () => '/api'],
    ['no URL', () => 'api'],
    ['a urn', () => 'urn:example:api'],
    ['javascript', () => 'javascript:alert(1)'],
    ['a user name before the host', (origin) => origin.replace('://', '://photos.example@')],
    ['a user name and a password', (origin) => origin.replace('://', '://a:b@')],
    ['SQL', () => "' OR '1'='1"],
    ['NUL', () => '\0'],
  ]

  test.each(foreign)('%s', async (_, make) => {
    for (const host of [open, listed]) {
      const resource = make(host.origin)
      const members = expectErrorRedirect(host, await asked(host, resource), 'invalid_target')
      expect(members.get('error_description')).not.toContain('example')
      // One that is foreign spoils a good one beside it.
      expectErrorRedirect(host, await asked(host, [`${host.origin}/api`, resource]), 'invalid_target')

      const { code } = await getCode(host)
      expectRefusal(await redeem(host, code, { form: { resource } }), 400, 'invalid_target')
      const { body } = await redeem(host, code)
      expectRefusal(await refresh(host, body.refresh_token, { form: { resource } }), 400, 'invalid_target')
      expect((await refresh(host, body.refresh_token)).status).toBe(200)
    }
  })

  test('with the option resources, also a path of the own origin that is none of them', async () => {
    for (const path of ['/mcp', '/api/read', '/apix', '/API', '/api?x=1', '/api//'])
      expectErrorRedirect(listed, await asked(listed, listed.origin + path), 'invalid_target')
  })

  test('prompt=none and form_post are answered in their own way', async () => {
    const resource = 'https://other.example'
    expectErrorRedirect(open, await asked(open, resource, { prompt: 'none' }), 'invalid_target')
    const page = await asked(open, resource, { response_mode: 'form_post' })
    expect(page.text).toContain('name="error" value="invalid_target"')
  })
})

describe('RSRC-02 at /token and at refresh nothing comes in that was not granted', () => {
  test.each([
    ['a sibling', '/mcp', '/files'],
    ['what lies above', '/mcp/tools', '/mcp'],
    ['the whole origin', '/mcp', ''],
    ['a name that begins alike', '/mcp', '/mcpx'],
    ['dot segments that lead out', '/mcp', '/mcp/../files'],
    ['encoded dot segments that lead out', '/mcp', '/mcp/%2e%2e/files'],
    ['a backslash that leads out', '/mcp', '/mcp/..\\files'],
  ])('%s', async (_, granted, named) => {
    const resource = open.origin + named
    const { code } = await getCode(open, { params: { resource: open.origin + granted } })
    expectRefusal(await redeem(open, code, { form: { resource } }), 400, 'invalid_target')
    const both = [open.origin + granted, resource]
    expectRefusal(await redeem(open, code, { form: { resource: both } }), 400, 'invalid_target')
    const { body } = await redeem(open, code)
    expectRefusal(await refresh(open, body.refresh_token, { form: { resource } }), 400, 'invalid_target')
    expect((await refresh(open, body.refresh_token)).status).toBe(200)
  })

  test('what lies below a granted one may be named, and opens no more than that', async () => {
    const { code } = await getCode(open, { params: { resource: `${open.origin}/files` } })
    const { body } = await redeem(open, code, { form: { resource: `${open.origin}/files/write` } })
    expect(await status(open, '/files/write', body.access_token)).toBe(403)
    expect(await status(open, '/files', body.access_token)).toBe(401)
  })

  test('the reason tells the two apart', async () => {
    const { code } = await getCode(open, { params: { resource: `${open.origin}/mcp` } })
    await redeem(open, code, { form: { resource: `${open.origin}/files` } })
    await redeem(open, code, { form: { resource: 'https://other.example' } })
    expect(open.events.slice(-2).map(({ event }) => event.reason)).toEqual([
      'resource_not_granted',
      'resource_unknown',
    ])
  })
})

describe('RSRC-04 several resources', () => {
  test('are no duplicate, at any of the three places, and a token request may pick some', async () => {
    const [api, mcp, files] = ['/api', '/mcp', '/files'].map((path) => open.origin + path)
    const { code } = await getCode(open, { params: { resource: [api, mcp, files] } as Form })
    const { body } = await redeem(open, code, { form: { resource: [api, mcp] } as Form })
    const opened = (token: string) =>
      Promise.all(['/api/read', '/mcp', '/files'].map((path) => status(open, path, token)))
    expect(await opened(body.access_token)).toEqual([200, 200, 401])
    const narrow = await refresh(open, body.refresh_token, { form: { resource: [files, mcp] } as Form })
    expect(await opened(narrow.body.access_token)).toEqual([401, 200, 200])
    const all = await refresh(open, narrow.body.refresh_token)
    expect(await opened(all.body.access_token)).toEqual([200, 200, 200])
  })

  test('ten are enough for anybody; the same one in several spellings counts once it is known', async () => {
    const paths = (count: number) =>
      Array.from({ length: count }, (_, index) => `${open.origin}/api/${index}`)
    const { code } = await getCode(open, { params: { resource: [...paths(10), ...paths(10)] } })
    expectRefusal(await redeem(open, code, { form: { resource: paths(11) } }), 400, 'invalid_target')
    expect((await redeem(open, code, { form: { resource: paths(10) } })).status).toBe(200)
    expectErrorRedirect(open, await asked(open, paths(11)), 'invalid_target')
    const members = expectErrorRedirect(open, await asked(open, paths(100)), 'invalid_target')
    expect(members.get('error_description')).toBe('Name at most 10 resources.')
  })

  test('consent to some is no consent to others', async () => {
    const { agent } = await getTokens(open, { user: 'bob', params: { resource: `${open.origin}/mcp` } })
    const again = await agent.follow(authorizeUrl(open, { params: { resource: `${open.origin}/mcp` } }))
    expect(again.location).toContain('code=')
    for (const resource of [`${open.origin}/files`, [`${open.origin}/mcp`, `${open.origin}/files`], '']) {
      const page = await agent.follow(authorizeUrl(open, { params: { resource } }))
      expect(page.text).toContain('name="decision"')
    }
    const silent = await agent.get(
      authorizeUrl(open, { params: { resource: `${open.origin}/files`, prompt: 'none' } }),
    )
    expectErrorRedirect(open, silent, 'consent_required')
  })
})

describe('RSRC-05 spelling', () => {
  test.each([
    ['upper case in scheme and host', (origin: string) => `${origin.toUpperCase()}/api`],
    ['a slash at the end', (origin: string) => `${origin}/api/`],
    ['dot segments', (origin: string) => `${origin}/x/../api`],
    ['all of it', (origin: string) => `${origin.toUpperCase()}/./api/`],
  ])('%s: the same resource, everywhere', async (_, spell) => {
    for (const host of [open, listed]) {
      const resource = spell(host.origin)
      const { code } = await getCode(host, { params: { resource } })
      const { body } = await redeem(host, code, { form: { resource } })
      expect(await status(host, '/api/read', body.access_token)).toBe(200)
      expect(await status(host, '/files', body.access_token)).toBe(401)
      const again = await refresh(host, body.refresh_token, { form: { resource: `${host.origin}/api` } })
      expect(await status(host, '/api/read', again.body.access_token)).toBe(200)
    }
  })

  test('https and http with their own ports are the same as without', async () => {
    const host = await startHost({
      provider: { issuer: 'https://photos.example/oauth', resources: {} },
      api: false,
    })
    const agent = await signedIn(host, 'alice')
    const path = (resource: string) =>
      authorizeUrl({ ...host, issuer: `${host.origin}/oauth` } as Host, { params: { resource } })
    for (const resource of [
      'https://photos.example:443/api',
      'HTTPS://PHOTOS.example',
      'https://photos.example/',
    ])
      expect((await agent.get(path(resource))).location).toContain('/consent/')
    for (const resource of ['https://photos.example:8443', 'http://photos.example/api'])
      expect((await agent.get(path(resource))).location).toContain('error=invalid_target')
    await host.close()
  })

  test('stored and emitted in one form: that of the option, else without slash and in lower case', async () => {
    const { page } = await toConsent(open, {
      user: 'bob',
      params: { resource: `${open.origin.toUpperCase()}/Some/Where/` },
    })
    expect(page.text).toContain(`${open.origin}/Some/Where<`)
    const elsewhere = await startResources(() => ({
      'https://MCP.example/': { accessTokenFormat: 'jwt' },
      'https://api.example/v1/': { accessTokenFormat: 'jwt' },
    }))
    for (const [resource, aud] of [
      ['https://mcp.example', 'https://MCP.example/'],
      ['https://api.example/v1', 'https://api.example/v1/'],
      ['https://api.example/v1/', 'https://api.example/v1/'],
    ] as const) {
      const { access_token } = await getTokens(elsewhere, { params: { resource } })
      expect(decodeJwt(access_token).aud).toBe(aud)
    }
    await elsewhere.close()
  })

  test('of a path the case counts', async () => {
    const { access_token } = await getTokens(listed, {
      params: { resource: `${listed.origin}/Mixed/Case` },
    })
    expect(await status(listed, '/files', access_token)).toBe(401)
    expectErrorRedirect(listed, await asked(listed, `${listed.origin}/mixed/case`), 'invalid_target')
  })
})

describe('resources that list their scopes', () => {
  test('RSRC-04 the scopes are filtered by resource, and the answer says which were left', async () => {
    const api = `${listed.origin}/api`
    const { body } = await getCode(listed, { params: { scope: 'write read', resource: api } }).then(
      ({ code }) => redeem(listed, code),
    )
    expect(body.scope).toBe('read')
    expectErrorRedirect(listed, await asked(listed, api, { scope: 'write' }), 'invalid_scope')
  })

  test('the user is asked for the scopes that mean something there, and for no others', async () => {
    const { page } = await toConsent(listed, {
      user: 'bob',
      params: { scope: 'read write', resource: `${listed.origin}/api`, prompt: 'consent' },
    })
    expect(page.text).toContain('Read your things')
    expect(page.text).not.toContain('Change your things')
  })

  test('a request without scope asks for the default ones that it knows', async () => {
    const tokens = await getTokens(listed, { params: { scope: undefined, resource: `${listed.origin}/api` } })
    expect(tokens.scope).toBe('read')
  })

  test('offline_access and the scopes of OpenID Connect are kept', async () => {
    const scope = 'openid profile email address phone offline_access read'
    const resource = `${listed.origin}/api`
    const tokens = await getTokens(listed, { params: { scope, resource } })
    const sorted = (text: unknown) => String(text).split(' ').sort()
    expect(sorted(tokens.scope)).toEqual(sorted(scope))
    expect(typeof tokens.id_token).toBe('string')
    const { body } = await refresh(listed, tokens.refresh_token, { form: { resource } })
    expect(sorted(body.scope)).toEqual(sorted(scope))
    expect(typeof body.id_token).toBe('string')
  })

  test('req.auth.scopes holds, at such a resource, only those that it lists', async () => {
    const resource = [`${listed.origin}/api`, `${listed.origin}/files`]
    const { access_token } = await getTokens(listed, {
      params: { scope: 'openid offline_access read write', resource },
    })
    expect((await callApi(listed, '/api/any', access_token)).body.scopes).toEqual(['read'])
    expect((await callApi(listed, '/files', access_token)).body.scopes).toEqual([
      'openid',
      'offline_access',
      'read',
      'write',
    ])
    expect(await status(listed, '/api/write', access_token)).toBe(403)
    expect(await status(listed, '/files/write', access_token)).toBe(200)
  })

  test('that also holds for a guard that names a URL below the resource, or spells it otherwise', async () => {
    const api = `${listed.origin}/api`
    for (const [path, resource] of [
      ['/behind/a', `${api}/photos`],
      ['/behind/b', `${api}/`],
      ['/behind/c', `${listed.origin.toUpperCase()}/api/photos`],
    ] as const) {
      listed.app.get(path, listed.oauth.requireToken([], { resource }), (req, res) => {
        res.json({ scopes: req.auth.scopes, resource: req.auth.resource.href })
      })
      listed.app.get(`${path}/write`, listed.oauth.requireToken('write', { resource }), (_req, res) => {
        res.json({})
      })
      const { access_token } = await getTokens(listed, {
        params: { scope: 'read write', resource: [api, `${listed.origin}/files`] },
      })
      expect((await callApi(listed, path, access_token)).body).toEqual({ scopes: ['read'], resource: api })
      expect(await status(listed, `${path}/write`, access_token)).toBe(403)

      // RS-10: the challenge leads to the metadata of a resource for which a token can be had.
      const refused = await callApi(listed, path, undefined)
      const [, url = ''] =
        /resource_metadata="([^"]*)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? []
      const metadata = (await (await fetch(url)).json()) as { resource: string }
      expect(metadata.resource).toBe(api)
    }
  })

  test('of nested resources the nearest one counts', async () => {
    const host = await startResources((origin) => ({
      [`${origin}/files`]: { scopes: ['read'] },
      [`${origin}/files/write`]: { scopes: ['write'] },
    }))
    const resource = [`${host.origin}/files`, `${host.origin}/files/write`]
    const both = await getTokens(host, { params: { scope: 'read write', resource } })
    expect((await callApi(host, '/files', both.access_token)).body.scopes).toEqual(['read'])
    expect(await status(host, '/files/write', both.access_token)).toBe(200)
    const lower = await getTokens(host, { params: { scope: 'read write', resource: resource[1] } as Form })
    expect(lower.scope).toBe('write')
    expect(await status(host, '/files', lower.access_token)).toBe(401)
    const upper = await getTokens(host, { params: { scope: 'read write', resource: resource[0] } as Form })
    expect(upper.scope).toBe('read')
    expect(await status(host, '/files/write', upper.access_token)).toBe(403)
    await host.close()
  })

  test('a token request whose scope means nothing at its resource is invalid_target, and costs nothing', async () => {
    const host = await startResources((origin) => ({
      [`${origin}/api`]: { scopes: ['read'] },
      [`${origin}/files`]: { scopes: ['write'] },
    }))
    const [api, files] = [`${host.origin}/api`, `${host.origin}/files`]
    const { code } = await getCode(host, { params: { scope: 'write', resource: [api, files] } })
    expectRefusal(await redeem(host, code, { form: { resource: api } }), 400, 'invalid_target')
    const { body } = await redeem(host, code, { form: { resource: files } })
    expect(body.scope).toBe('write')
    expectRefusal(await refresh(host, body.refresh_token, { form: { resource: api } }), 400, 'invalid_target')
    expect((await refresh(host, body.refresh_token)).status).toBe(200)
    await host.close()
  })
})

describe('OpenID Connect beside resources', () => {
  test('OIDC-07 a token without resource works at userinfo', async () => {
    for (const host of [open, listed]) {
      const { access_token, id_token } = await getTokens(host, { params: { scope: 'openid read' } })
      expect(typeof id_token).toBe('string')
      expect((await callApi(host, '/oauth/userinfo', access_token)).body.sub).toBe('alice')
    }
  })

  test('RS-08 one for another resource does not, though an ID token comes with it', async () => {
    for (const host of [open, listed]) {
      const resource = `${host.origin}/api`
      const { access_token, id_token } = await getTokens(host, { params: { scope: 'openid read', resource } })
      expect(decodeJwt(id_token as string).sub).toBe('alice')
      const { status, headers, body } = await callApi(host, '/oauth/userinfo', access_token)
      expect([status, body.error]).toEqual([401, 'invalid_token'])
      expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
      expect(await callApi(host, '/api/any', access_token)).toMatchObject({ status: 200 })
    }
  })

  test('one for the userinfo endpoint, or for the provider, does, and opens no API', async () => {
    for (const path of ['/oauth/userinfo', '/oauth']) {
      const resource = open.origin + path
      const { access_token } = await getTokens(open, { params: { scope: 'openid read', resource } })
      expect((await callApi(open, '/oauth/userinfo', access_token)).status).toBe(200)
      expect(await status(open, '/api/read', access_token)).toBe(401)
    }
  })

  test('a refresh that names a resource gives one for there, and the next, for all, one for userinfo again', async () => {
    const { refresh_token } = await getTokens(open, { params: { scope: 'openid read' } })
    const there = await refresh(open, refresh_token, { form: { resource: `${open.origin}/mcp` } })
    expect(await status(open, '/oauth/userinfo', there.body.access_token)).toBe(401)
    expect(typeof there.body.id_token).toBe('string')
    const all = await refresh(open, there.body.refresh_token)
    expect(await status(open, '/oauth/userinfo', all.body.access_token)).toBe(200)
  })
})

describe('K-29 what the host has changed since is invalid_grant, upon which clients begin anew', () => {
  const restarted = async (before: (origin: string) => Resources, after: Resources) => {
    const store = new Database(':memory:')
    const issuer = 'https://photos.example/oauth'
    const provider = { store, issuer }
    const first = await startHost({ provider: { ...provider, resources: before('') }, api: false })
    const at = { ...first, issuer: `${first.origin}/oauth` } as Host
    const resource = Object.keys(before(''))
    const agent = await signedIn(first, 'alice')
    const page = await agent.follow(authorizeUrl(at, { params: { scope: 'read', resource } }))
    const code = destination(await decide(agent, page, 'approve')).searchParams.get('code') ?? ''
    const { body } = await redeem(at, code, { form: { resource: resource[0] } })
    expect(body.error).toBeUndefined()
    const second = await startHost({ provider: { ...provider, resources: after }, api: false })
    const end = async () => {
      await Promise.all([first.close(), second.close()])
      store.close()
    }
    return { second: { ...second, issuer: `${second.origin}/oauth` } as Host, token: body.refresh_token, end }
  }
  const API = 'https://photos.example/api'

  test('a resource that is gone', async () => {
    const { second, token, end } = await restarted(() => ({ [API]: {} }), {
      'https://photos.example/other': {},
    })
    expectRefusal(await refresh(second, token), 400, 'invalid_grant')
    await end()
  })

  test('a resource that no longer knows the scope', async () => {
    const { second, token, end } = await restarted(() => ({ [API]: {} }), { [API]: { scopes: ['write'] } })
    expectRefusal(await refresh(second, token), 400, 'invalid_grant')
    await end()
  })

  test('but a resource that takes another format now goes on with that', async () => {
    const { second, token, end } = await restarted(() => ({ [API]: {} }), {
      [API]: { accessTokenFormat: 'jwt' },
    })
    const { status, body } = await refresh(second, token)
    expect(status).toBe(200)
    expect(decodeJwt(body.access_token).aud).toBe(API)
    await end()
  })
})
