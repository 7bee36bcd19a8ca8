import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import { ConfigurationError, type OAuthProviderOptions, oauthProvider } from '../lib/index.js'
import { Agent } from './support/agent.js'
import { authorizeUrl, callApi, getCode, redeem, refresh } from './support/flow.js'
import { startHost, type User } from './support/host.js'
import { signingKeys } from './support/signing-keys.js'
import { expectRefusal as expectRefused } from './support/token-endpoint.js'

const BASE = {
  issuer: 'https://photos.example/oauth',
  findUser: () => undefined,
  store: ':memory:',
  // Or each call would begin to make some.
  keys: signingKeys,
}

function build(options: object): void {
  const provider = oauthProvider({ ...BASE, ...options } as OAuthProviderOptions)
  void provider.close()
}

function refusal(options: unknown, base: object = BASE): ConfigurationError {
  try {
    build(options === null ? (null as never) : { ...base, ...(options as object) })
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    return error as ConfigurationError
  }
  throw new Error('was accepted')
}

/** Each refusal names the option, what is wrong with its value, and what to do: the option, then a pattern for the rest. */
function expectRefusal(options: object, option: string, rest: RegExp): void {
  const error = refusal(options)
  expect(error.option).toBe(option)
  expect(error.message).toContain(`oauthProvider: ${option} `)
  expect(error.message).toMatch(rest)
  expect(error.message).toMatch(/\. .+[.?]$/)
}

test('without options the message shows the call', () => {
  for (const options of [undefined, null, 'x', 5]) {
    expect(() => oauthProvider(options as never)).toThrow(/oauthProvider\(\{ issuer, findUser \}\)/)
  }
})

describe('issuer', () => {
  test.each([
    ['missing', undefined, /is missing\. .*https:\/\/photos\.example\/oauth/],
    ['empty', '', /is missing/],
    ['a number', 3000, /is 3000\. .*https:\/\/photos\.example\/oauth/],
    [
      'a URL object',
      new URL('https://photos.example/oauth'),
      /is a URL object\. Pass the string: 'https:\/\/photos\.example\/oauth'/,
    ],
    [
      'a URL object without a path',
      new URL('https://photos.example'),
      /Pass the string: 'https:\/\/photos\.example'\./,
    ],
    ['no URL', 'photos.example/oauth', /is not a URL: 'photos\.example\/oauth'/],
    ['http', 'http://photos.example/oauth', /is not https: .*localhost, 127\.0\.0\.1 and \[::1\]/],
    ['http on a host that begins like localhost', 'http://localhost.evil.example', /is not https/],
    ['another scheme', 'ftp://photos.example/oauth', /is not https/],
    [
      'a slash at the end',
      'https://photos.example/oauth/',
      /ends with a slash.*Write 'https:\/\/photos\.example\/oauth'/,
    ],
    [
      'a slash after the host',
      'https://photos.example/',
      /ends with a slash.*Write 'https:\/\/photos\.example'/,
    ],
    ['a query', 'https://photos.example/oauth?x=1', /query or a fragment.*Remove/],
    ['an empty query', 'https://photos.example/oauth?', /query or a fragment/],
    ['a fragment', 'https://photos.example/oauth#x', /query or a fragment/],
    ['user information', 'https://me:pw@photos.example/oauth', /user name or password/],
    ['upper case', 'https://Photos.example/oauth', /normal form.*Write 'https:\/\/photos\.example\/oauth'/],
    [
      'a default port',
      'https://photos.example:443/oauth',
      /normal form.*Write 'https:\/\/photos\.example\/oauth'/,
    ],
    ['dot segments', 'https://photos.example/a/../oauth', /normal form/],
    ['two slashes, which would make paths of another host', 'https://photos.example//evil.example', /path/],
    ['a semicolon, which would end the path of a cookie', 'https://photos.example/oauth;Domain=x', /path/],
    ['an encoded path', 'https://photos.example/%6Fauth', /path/],
    ['a line break', 'https://photos.example/oauth\n', /normal form/],
  ])('%s is refused', (_, issuer, message) => {
    expectRefusal({ issuer }, 'issuer', message)
  })

  test.each([
    'https://photos.example',
    'https://photos.example:8443/a/b',
    'http://localhost:3000/oauth',
    'http://127.0.0.1/oauth',
    'http://[::1]:3000',
  ])('%s is accepted', (issuer) => {
    expect(() => build({ issuer })).not.toThrow()
  })
})

describe('a misspelt option is named, with the one that was probably meant', () => {
  test.each([
    ['isuer', 'issuer'],
    ['issuerUrl', 'issuer'],
    ['findUsers', 'findUser'],
    ['finduser', 'findUser'],
    ['curentUser', 'currentUser'],
    ['login', 'loginUrl'],
    ['loginURL', 'loginUrl'],
    ['scope', 'scopes'],
    ['client', 'clients'],
    ['stores', 'store'],
    ['template', 'templates'],
    ['lifetime', 'lifetimes'],
    ['ressources', 'resources'],
  ])('%s: did you mean %s?', (name, meant) => {
    expectRefusal({ [name]: 'x' }, name, new RegExp(`is not known\\. Did you mean ${meant}\\?`))
  })

  test('where none is near, all are listed', () => {
    expectRefusal({ zzzzzzzz: 1 }, 'zzzzzzzz', /Known are: issuer, findUser, .*clock\./)
  })

  test('below another option too', () => {
    expectRefusal(
      { lifetimes: { accesToken: 5 } },
      'lifetimes.accesToken',
      /Did you mean lifetimes\.accessToken\?/,
    )
    expectRefusal(
      { scopes: { a: { description: 'x', requierd: false } } },
      "scopes['a'].requierd",
      /required\?/,
    )
    expectRefusal(
      { resources: { 'https://x.example': { scope: [] } } },
      "resources['https://x.example'].scope",
      /scopes\?/,
    )
    expectRefusal(
      { clients: [{ client_id: 'x', redirect_uri: ['https://x.example'] }] },
      'clients[0].redirect_uri',
      /Did you mean redirect_uris\?/,
    )
  })
})

describe('a value of the wrong kind is named, with what to pass', () => {
  test.each([
    ['findUser', undefined, /is missing.*\(id\) => users\.get\(id\)/],
    ['findUser', 'alice', /is 'alice'\. Pass a function/],
    ['findUser', null, /is null\. Pass a function/],
    ['currentUser', {}, /is an Object\. Pass a function/],
    ['authTime', 5, /is 5\. Pass a function/],
    ['render', 'pug', /is 'pug'\. Pass a function/],
    ['clock', 0, /is 0\. Pass a function/],
    ['appName', '', /is an empty string\. Pass a string/],
    ['appName', { en: 'Photos' }, /is an Object\. Pass a string/],
    ['templates', '', /is an empty string\. Pass a string/],
    ['templates', ['views'], /is an array\. Pass a string/],
    ['templates', '/nowhere/at/all', /'\/nowhere\/at\/all'/],
    ['loginUrl', '', /is an empty string/],
    ['loginUrl', 'login', /is 'login'.*'\/login'/],
    ['loginUrl', '//evil.example/login', /is '\/\/evil/],
    ['loginUrl', '/\\evil.example', /is '/],
    ['loginUrl', '/login#top', /fragment/],
    ['loginUrl', '/log in', /is '\/log in'/],
    ['loginUrl', 'javascript:alert(1)', /is 'javascript/],
    ['loginUrl', null, /is null.*http or https URL/],
    ['scopes', ['photos'], /is an array\. Pass an object/],
    ['scopes', new Map([['photos', 'See']]), /is a Map\. Pass an object/],
    ['scopes', null, /is null/],
    ['scopes', 'photos', /is 'photos'/],
    ['clients', {}, /is an Object\. Pass an array/],
    ['clients', null, /is null/],
    ['store', '', /is an empty string.*:memory:/],
    ['store', 5, /is 5/],
    ['store', null, /is null/],
    ['store', {}, /is not a store/],
    ['store', new Date(), /is not a store/],
    ['store', '/nowhere/at/all/oauth.db', /cannot be opened: '\/nowhere\/at\/all\/oauth\.db'/],
    ['lifetimes', 3600, /is 3600\. Pass an object/],
    ['lifetimes', null, /is null/],
    ['resources', ['https://x.example'], /is an array/],
    ['keys', '', /is an empty string\. Pass an array/],
    ['keys', null, /is null\. Pass an array/],
    ['keys', false, /is false\. Pass an array/],
    ['keys', { keys: [] }, /is an Object\. Pass an array/],
  ])('%s: %p', (option, value, message) => {
    expectRefusal({ [option]: value }, option, message)
  })

  test.each([
    ["scopes['a b']", { scopes: { 'a b': 'x' } }, /is not a scope name.*ASCII/],
    ["scopes['a\"']", { scopes: { 'a"': 'x' } }, /is not a scope name/],
    ["scopes['']", { scopes: { '': 'x' } }, /is not a scope name/],
    ["scopes['é']", { scopes: { é: 'x' } }, /is not a scope name/],
    ["scopes['a'].description", { scopes: { a: '' } }, /is an empty string.*sentence/],
    ["scopes['a'].description", { scopes: { a: {} } }, /is undefined.*sentence/],
    ["scopes['a'].implies", { scopes: { a: { description: 'A', implies: ['b'] } } }, /unknown scope 'b'/],
    ["scopes['a'].implies", { scopes: { a: { description: 'A', implies: 'b' } } }, /is 'b'.*array/],
    ["scopes['a']", { scopes: { a: undefined } }, /is undefined.*sentence/],
    ["scopes['a']", { scopes: { a: null } }, /is null.*sentence/],
    ["scopes['a']", { scopes: { a: true } }, /is true.*sentence/],
    [
      "scopes['a'].required",
      { scopes: { a: { description: 'x', required: 'no' } } },
      /is 'no'\. Pass true or false/,
    ],
    ["scopes['a'].default", { scopes: { a: { description: 'x', default: 1 } } }, /is 1\. Pass true or false/],
    ["resources['/api']", { resources: { '/api': {} } }, /is not the URL of an API.*https:\/\/photos/],
    ["resources['https://x.example/#a']", { resources: { 'https://x.example/#a': {} } }, /fragment/],
    ["resources['https://x.example/?a']", { resources: { 'https://x.example/?a': {} } }, /query/],
    ["resources['urn:api']", { resources: { 'urn:api': {} } }, /is not the URL/],
    ["resources['https://x.example']", { resources: { 'https://x.example': undefined } }, /is undefined/],
    [
      "resources['https://x.example'].scopes",
      { resources: { 'https://x.example': { scopes: null } } },
      /is null\. Pass an array/,
    ],
    [
      "resources['https://x.example'].scopes",
      { resources: { 'https://x.example': { scopes: '' } } },
      /is an empty string\. Pass an array/,
    ],
    [
      "resources['https://x.example'].scopes",
      { resources: { 'https://x.example': { scopes: [undefined] } } },
      /unknown scope undefined/,
    ],
    [
      "resources['https://x.example'].scopes",
      { resources: { 'https://x.example': { scopes: 'read' } } },
      /is 'read'\. Pass an array/,
    ],
    [
      "resources['https://x.example'].scopes",
      { scopes: { photos: 'x' }, resources: { 'https://x.example': { scopes: ['photo'] } } },
      /unknown scope 'photo'\. Did you mean 'photos'\?/,
    ],
  ])('%s', (option, options, message) => {
    expectRefusal(options, option, message)
  })

  test.each([
    ['accessToken', 0],
    ['accessToken', -1],
    ['accessToken', 1.5],
    ['accessToken', '3600'],
    ['accessToken', Number.NaN],
    ['accessToken', Number.POSITIVE_INFINITY],
    ['accessToken', null],
    ['accessToken', 1e15],
    ['refreshToken', 0],
    ['refreshGrace', -1],
    ['authorizationCode', 601],
  ] as const)('lifetimes.%s: %p', (name, value) => {
    const least = name === 'refreshGrace' ? 0 : 1
    expectRefusal(
      { lifetimes: { [name]: value } },
      `lifetimes.${name}`,
      new RegExp(`Pass whole seconds from ${least} to \\d+\\.`),
    )
  })

  test('the edges of what is allowed are', () => {
    expect(() =>
      build({ lifetimes: { authorizationCode: 600, refreshGrace: 0, accessToken: 1 } }),
    ).not.toThrow()
    expect(() => build({ lifetimes: { accessToken: undefined } })).not.toThrow()
    expect(() => build({ loginUrl: undefined, scopes: undefined, clients: undefined })).not.toThrow()
  })

  test('a file where a folder of templates is expected', () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'oauth-')), 'consent.ejs')
    writeFileSync(file, '')
    expectRefusal({ templates: file }, 'templates', /folder/)
  })

  test('a page that does not compile is named with its file', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'oauth-'))
    writeFileSync(path.join(folder, 'consent.ejs'), '<% if ( %>')
    expectRefusal({ templates: folder }, 'templates', /consent\.ejs/)
  })

  test.each([
    ['consnet.ejs', 'consent.ejs'],
    ['errors.ejs', 'error.ejs'],
    ['authorised-applications.ejs', 'authorized-applications.ejs'],
  ])('a template that is misspelt: %s', (file, meant) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'oauth-'))
    writeFileSync(path.join(folder, file), '')
    expectRefusal({ templates: folder }, 'templates', new RegExp(`'${file}'.*Did you mean '${meant}'\\?`))
  })

  test('partials are no misspelt templates, nor is anything else', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'oauth-'))
    for (const file of ['_head.ejs', 'footer.ejs', 'consent.ejs', 'consents.ejs', 'eror.html'])
      writeFileSync(path.join(folder, file), '')
    expect(() => build({ templates: folder })).not.toThrow()
  })

  test('missing bindings of better-sqlite3 are named with the command, and no empty file is left', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'oauth-'))
    await jest.isolateModulesAsync(async () => {
      jest.doMock('better-sqlite3', () => {
        return function Unbound() {
          throw new Error('Could not locate the bindings file. Tried:\n one place\n and another')
        }
      })
      const { openStore } = await import('../lib/store/open.js')
      expect(() => openStore(path.join(folder, 'oauth.db'), Date.now)).toThrow(
        /^oauthProvider: store needs .*bindings.*\. Run 'npm rebuild better-sqlite3'/,
      )
    })
    jest.dontMock('better-sqlite3')
    expect(readdirSync(folder)).toEqual([])
  })

  test('a URL is refused in words that hold nothing of it', () => {
    const error = refusal({ store: 'postgres://me:pass@db.example/app' })
    expect(error.message).toMatch(/store is a URL\. .*postgresStore\(/)
    expect(inspect(error)).not.toMatch(/me:pass|db\.example|cause/)
  })

  describe('a better-sqlite3 that would crash this Node', () => {
    const { napi } = process.versions
    afterEach(() => {
      jest.dontMock('better-sqlite3/package.json')
      setNodeApi(napi)
    })
    const setNodeApi = (value: string | undefined) =>
      Object.defineProperty(process.versions, 'napi', { value, configurable: true })
    const refusalOf = async (nodeApi: string, installed: () => object) => {
      jest.doMock('better-sqlite3/package.json', installed)
      setNodeApi(nodeApi)
      let refused: unknown
      await jest.isolateModulesAsync(async () => {
        const { openStore } = await import('../lib/store/open.js')
        try {
          await openStore(':memory:', Date.now).close()
        } catch (error) {
          refused = (error as Error).message
        }
      })
      return refused
    }

    test('is refused, with the version to take', async () => {
      expect(await refusalOf('9', () => ({ version: '13.2.0' }))).toMatch(
        /^oauthProvider: store needs better-sqlite3, .* 13\.2\.0 .* Node [\d.]+\. Run 'npm install better-sqlite3@12', or take Node 22\.14/,
      )
    })

    test.each([
      ['on a Node that it does not crash', '10', () => ({ version: '13.2.0' })],
      ['where it is an older one', '9', () => ({ version: '12.11.1' })],
      [
        'where it is bundled with the host',
        '9',
        () => {
          throw new Error("Cannot find module 'better-sqlite3/package.json'")
        },
      ],
    ])('is none %s', async (_, nodeApi, installed) => {
      expect(await refusalOf(nodeApi, installed)).toBeUndefined()
    })
  })
})

describe('a secret that is given is one, or is refused: nothing is left in plain, or public, without a word', () => {
  const LONG = 'a-secret-of-the-host-that-is-long-enough'
  const unset = process.env.NOT_SET

  test.each([
    ['secret', { secret: unset }],
    ['secret[0]', { secret: [unset, LONG] }],
    ['secret[1]', { secret: [LONG, unset] }],
    ['secret[0]', { secret: new Array(1) }],
    ['pairwiseSalt', { pairwiseSalt: unset }],
  ])('%s, from a variable of the environment that is not set', (option, options) => {
    expectRefusal(
      options,
      option,
      /is undefined\. Set it, or leave it out\. Is an environment variable missing\?/,
    )
  })

  test.each([
    ['secret', { secret: '' }, /has 0 characters\. Pass 32 or more/],
    ['secret', { secret: 'near-to-the-real-one' }, /has 20 characters\. Pass 32 or more/],
    ['secret', { secret: null }, /is not a string\. Pass 32 or more/],
    ['secret', { secret: { 0: LONG } }, /is not a string/],
    ['secret', { secret: [] }, /is an empty list\. Pass 32 or more/],
    ['secret[1]', { secret: [LONG, ''] }, /has 0 characters/],
    ['secret[0]', { secret: [[LONG]] }, /is not a string/],
    ['pairwiseSalt', { pairwiseSalt: '' }, /has 0 characters/],
    ['pairwiseSalt', { pairwiseSalt: null }, /is not a string/],
    ['pairwiseSalt', { pairwiseSalt: [LONG] }, /is not a string/],
  ])('%s: %p', (option, options, message) => {
    expectRefusal(options, option, message)
    expect(refusal(options).message).not.toMatch(/near-to|that-is-long-enough/)
  })

  test('left out, or given, they are fine', () => {
    expect(() => build({})).not.toThrow()
    expect(() => build({ secret: LONG, pairwiseSalt: LONG })).not.toThrow()
    expect(() => build({ secret: [LONG, `${LONG} of old`] })).not.toThrow()
    class Options {
      readonly issuer = BASE.issuer
      readonly store = BASE.store
      readonly findUser = BASE.findUser
      get secret() {
        return unset
      }
    }
    expect(() => oauthProvider(new Options() as never)).toThrow(/secret is undefined/)
  })
})

describe('static clients are checked like all others', () => {
  const good = { client_id: 'x', client_secret: 's3cret-value', redirect_uris: ['https://x.example/cb'] }
  test.each([
    ['no object', ['x'], 'clients[0]', /is refused.*client_name/],
    ['null', [null], 'clients[0]', /is refused/],
    ['no client_id', [{ redirect_uris: ['https://x.example/cb'] }], 'clients[0].client_id', /client_id/],
    ['a number as client_id', [{ ...good, client_id: 5 }], 'clients[0].client_id', /client_id/],
    ['a client_id twice', [good, good], 'clients[1].client_id', /repeats 'x'/],
    ['an empty secret', [{ ...good, client_secret: '' }], 'clients[0].client_secret', /environment variable/],
    [
      'a secret from an environment variable that is not set, which would make the client public',
      [{ ...good, client_secret: process.env.NOT_SET }],
      'clients[0].client_secret',
      /environment variable/,
    ],
    ['no redirect_uris', [{ client_id: 'x' }], 'clients[0].redirect_uris', /at least one/],
    [
      'RURI-11 a script as redirect URI',
      [{ ...good, redirect_uris: ['javascript:alert(1)'] }],
      'clients[0].redirect_uris',
      /scheme/,
    ],
    [
      'a private-use scheme beside a secret',
      [{ ...good, redirect_uris: ['com.example.app:/cb'] }],
      'clients[0].redirect_uris',
      /RFC 8252 section 7\.1\)\. Leave client_secret out/,
    ],
    [
      'a scope that is misspelt',
      [{ ...good, scope: 'openid photo' }],
      'clients[0].scope',
      /unknown scope 'photo'\. Did you mean 'photos'\?/,
    ],
    ['an unknown grant type', [{ ...good, grant_types: ['password'] }], 'clients[0].grant_types', /password/],
  ])('%s', (_, clients, option, message) => {
    expectRefusal({ clients, scopes: { photos: 'See your photos' } }, option, message)
  })

  test('scopes of OpenID Connect, and those that resemble none, are let in', () => {
    const scope = 'openid profile email address phone offline_access calendar'
    const scopes = { emails: 'Read your mail', phones: 'See your phones' }
    expect(() => build({ scopes, clients: [{ ...good, scope }] })).not.toThrow()
  })

  test('no message shows a secret', () => {
    const { message } = refusal({ clients: [{ ...good, redirect_uris: [] }] })
    expect(message).not.toContain('s3cret-value')
  })
})

describe('findUser gives an object, or undefined or null', () => {
  const known = { id: 'alice', name: 'Alice', email: 'alice@host.example' }
  let found: unknown = known
  const provider = { findUser: () => found as User | undefined }

  test.each([
    [
      'an array',
      [],
      /findUser gave an array\. Give the user object, .*; did you forget \[0\] or \.first\(\)\?$/,
    ],
    ['an array with the user in it', [known], /an array/],
    ['false', false, /findUser gave false\. Give the user object, or undefined when there is none\.$/],
    ['an empty string', '', /an empty string/],
    ['0', 0, /gave 0\./],
    ['NaN', Number.NaN, /NaN/],
    ['true', true, /true/],
  ])('%s gets no tokens, and ends nothing', async (_, value, told) => {
    found = known
    const host = await startHost({ provider })
    const { code } = await getCode(host)
    const issued = (await redeem(host, (await getCode(host)).code)).body

    found = value
    for (const answer of [await redeem(host, code), await refresh(host, issued.refresh_token)]) {
      expectRefused(answer, 500, 'server_error')
      expect(answer.body).not.toHaveProperty('access_token')
    }
    const errors = host.events
      .filter(({ name }) => name === 'server.error')
      .map(({ event }) => event.error as Error)
    expect(errors.map(({ name }) => name)).toEqual(['TypeError', 'TypeError'])
    for (const { message } of errors) {
      expect(message).toMatch(/^oauthProvider: findUser gave /)
      expect(message).toMatch(told)
    }

    found = known
    expect((await callApi(host, '/api/read', issued.access_token)).status).toBe(200)
    expect((await refresh(host, issued.refresh_token)).status).toBe(200)
    await host.close()
  })

  test.each([undefined, null])('%p says that the user is gone', async (value) => {
    found = known
    const host = await startHost({ provider })
    const { code } = await getCode(host)
    found = value
    expectRefused(await redeem(host, code), 400, 'invalid_grant')
    await host.close()
  })
})

describe('the first request tells of a mount that differs from the issuer', () => {
  test('it names both and the line to write, once', async () => {
    const host = await startHost({ mountAt: '/auth' })
    for (let i = 0; i < 3; i++) await fetch(`${host.origin}/auth/.well-known/oauth-authorization-server`)
    const warnings = host.events.filter(({ name }) => name === 'warning')
    expect(warnings).toHaveLength(1)
    expect(warnings[0]?.event.code).toBe('mount_differs_from_issuer')
    expect(warnings[0]?.event.message).toMatch(
      /mounted at '\/auth'.*\/oauth' *.*app\.use\('\/oauth', oauth\)/,
    )
    await host.close()
  })

  test('at the right path there is none', async () => {
    for (const mount of ['', '/oauth', '/a/b']) {
      const host = await startHost({ mount })
      await fetch(`${host.issuer}/.well-known/oauth-authorization-server`)
      expect(host.events).toEqual([])
      await host.close()
    }
  })

  test('without a listener it goes to the process as a warning', async () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const host = await startHost({ mountAt: '/auth', listen: false })
    await fetch(`${host.origin}/auth/token`)
    expect(emitWarning).toHaveBeenCalledWith(expect.stringContaining("'/auth'"), 'OAuthProviderWarning')
    emitWarning.mockRestore()
    await host.close()
  })
})

describe('loginUrl', () => {
  test.each([
    ['/sign-in', '/sign-in?return_to='],
    ['/sign-in?lang=de', '/sign-in?lang=de&return_to='],
    ['https://login.example/', 'https://login.example/?return_to='],
  ])('%s gets the way back, with nothing percent-encoded', async (loginUrl, start) => {
    const host = await startHost({ provider: { loginUrl } })
    const { headers } = await new Agent(host).get(authorizeUrl(host))
    const location = headers.get('location') ?? ''
    expect(location.startsWith(`${start}/oauth/consent/`)).toBe(true)
    expect(location).not.toContain('%')
    await host.close()
  })

  test('a function gives the whole URL', async () => {
    const host = await startHost({ provider: { loginUrl: (_req, returnTo) => `/in${returnTo}` } })
    const { headers } = await new Agent(host).get(authorizeUrl(host))
    expect(headers.get('location')).toMatch(/^\/in\/oauth\/consent\/[\w-]+$/)
    await host.close()
  })

  test('a function that gives no URL is named', async () => {
    const host = await startHost({ provider: { loginUrl: (async () => '/login') as never } })
    await new Agent(host).get(authorizeUrl(host))
    const errors = host.events.filter(({ name }) => name === 'server.error')
    expect(String(errors[0]?.event.error)).toMatch(/oauthProvider: loginUrl gave a Promise/)
    await host.close()
  })
})

test('AUTHZ-14 offline_access is never asked for by a request that names no scope, also with a sentence of the host', async () => {
  const scopes = { read: 'Read', offline_access: 'Stay connected' }
  const host = await startHost({ provider: { scopes }, api: false })
  const agent = new Agent(host)
  await agent.login('alice')
  const page = await agent.follow(authorizeUrl(host, { params: { scope: undefined } }))
  expect(page.text).toContain('Read')
  expect(page.text).not.toContain('Stay connected')
  await host.close()
})

test('without the option store, it is the file oauth.db in the working directory', () => {
  const before = process.cwd()
  const folder = mkdtempSync(path.join(tmpdir(), 'oauth-'))
  process.chdir(folder)
  try {
    build({ store: undefined })
  } finally {
    process.chdir(before)
  }
  expect(readdirSync(folder)).toContain('oauth.db')
})

test('options may be an object with methods', async () => {
  class Options {
    readonly issuer = 'https://photos.example'
    readonly store = ':memory:'
    readonly #known = 'alice'
    findUser(id: string) {
      return id === this.#known ? { name: id } : undefined
    }
  }
  const provider = oauthProvider(new Options())
  expect(await provider.purge()).toBe(0)
  await provider.close()
})

describe('allowPrivateAddresses', () => {
  const { NODE_ENV } = process.env
  afterEach(() => {
    process.env.NODE_ENV = NODE_ENV
  })

  test.each([true, ['10.0.0.0/8'], []])('K-31 %j is for development, and refused in production', (value) => {
    expect(() => build({ allowPrivateAddresses: value })).not.toThrow()
    process.env.NODE_ENV = 'production'
    expectRefusal(
      { allowPrivateAddresses: value },
      'allowPrivateAddresses',
      /NODE_ENV is production.*Leave it out/,
    )
  })

  test('in production it may be false, or left out', () => {
    process.env.NODE_ENV = 'production'
    for (const options of [{}, { allowPrivateAddresses: false }, { allowPrivateAddresses: undefined }])
      expect(() => build(options)).not.toThrow()
  })

  test.each(['true', '127.0.0.1', 1, null, {}, [1], ['127.0.0.1', null]])('%j is refused', (value) => {
    expectRefusal({ allowPrivateAddresses: value }, 'allowPrivateAddresses', /Pass true, or a list/)
  })
})

describe('where clients come from', () => {
  const hosts = /\. Pass false, 'open', a list of hosts, a function or an object of options\.$/
  const bytes = /\. Pass whole bytes from 1 to 65536\.$/
  test.each<[option: string, value: unknown, named: string, rest: RegExp]>([
    ...[null, 7, true, 'all'].flatMap((value): [string, unknown, string, RegExp][] => [
      ['clientMetadataDocuments', value, 'clientMetadataDocuments', hosts],
      ['registration', value, 'registration', /\. Pass false, 'open', a function or an object of options\.$/],
    ]),
    ...[0, -1, 1.5, 65_537, '5120', null, Number.NaN].map((sizeLimit): [string, unknown, string, RegExp] => [
      ...(['clientMetadataDocuments', { allow: 'open', sizeLimit }] as const),
      ...(['clientMetadataDocuments.sizeLimit', bytes] as const),
    ]),
    ...[0, 1_000_001, 0.5, '60', null].map((perMinute): [string, unknown, string, RegExp] => [
      ...(['registration', { allow: 'open', perMinute }] as const),
      ...(['registration.perMinute', /\. Pass a whole number from 1 to 1000000\.$/] as const),
    ]),
    [
      ...(['clientMetadataDocuments', ['https://claude.ai'], 'clientMetadataDocuments.allow'] as const),
      /names 'https:\/\/claude\.ai'\. Write hosts/,
    ],
    [
      'clientMetadataDocuments',
      { allow: [{}] },
      'clientMetadataDocuments.allow',
      /names an Object\. Write hosts/,
    ],
    ['clientMetadataDocuments', { allow: 'all' }, 'clientMetadataDocuments.allow', /is 'all'\. Pass 'open'/],
    ['clientMetadataDocuments', {}, 'clientMetadataDocuments.allow', /is undefined\. Pass 'open'/],
  ])('%s %j is refused, with the option mcp too', (option, value, named, rest) => {
    expectRefusal({ [option]: value }, named, rest)
    expectRefusal({ mcp: true, [option]: value }, named, rest)
  })

  test('the bounds themselves count', () => {
    for (const sizeLimit of [1, 65_536]) build({ clientMetadataDocuments: { allow: 'open', sizeLimit } })
    for (const perMinute of [1, 1_000_000]) build({ registration: { allow: 'open', perMinute } })
  })
})
