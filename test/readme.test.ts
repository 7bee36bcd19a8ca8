import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parseSync } from '@swc/core'
import { RECORDED } from '../lib/audit/entries.js'
import { builtInLanguages } from '../lib/built-in-texts.js'
import { COMMANDS } from '../lib/cli/commands.js'
import type { Route } from '../lib/http/router.js'
import type { ClientMetadata } from '../lib/index.js'
import { routeTable } from '../lib/routes.js'
import type { Runtime } from '../lib/runtime.js'
import { resolveSettings } from '../lib/settings.js'
import { claimScopes, claimsOfScope } from '../lib/standard-claims.js'
import { type Agent, encode, inputValue } from './support/agent.js'
import { clients } from './support/clients.js'
import { deviceClients, startDevice } from './support/devices.js'
import { authorizeUrl, callApi, decide, getCode, redeem, signedIn, toConsent } from './support/flow.js'
import { type Host, startHost } from './support/host.js'

const root = path.resolve(import.meta.dirname, '..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')
const readme = read('README.md')
const settings = resolveSettings({
  issuer: 'https://host.example/oauth',
  findUser: () => undefined,
  registration: 'open',
  applications: () => true,
  admin: () => true,
})

describe('the tables of the README name what there is, and nothing else:', () => {
  test('options', () => {
    const table = rows('Options').map(([name = '']) => coded(name)[0]?.replace(/\(.*/, ''))
    expect(sorted(table)).toEqual(sorted(membersOf('lib/options.ts', 'OAuthProviderOptions')))
  })

  test('members of a scope and of a resource', () => {
    const text = section('Options')
    for (const name of membersOf('lib/options.ts', 'ScopeOptions'))
      expect(text).toMatch(new RegExp(`\\b${name}\\b`))
    expect(text).toContain(`URL to \`{ ${membersOf('lib/options.ts', 'ResourceOptions').join(', ')} }\``)
    for (const name of [
      ...['AuthContext', 'Features', 'AuthorizationDetailsOptions', 'TrustedIssuer', 'AuditOptions'],
      ...['RegistrationOptions', 'ClientMetadataDocumentsOptions', 'McpOptions'],
    ])
      expect(text).toContain(`\`{ ${membersOf('lib/options.ts', name).join(', ')} }\``)
  })

  test('members of the option registration, and of postgresStore', () => {
    const named = (heading: string) => rows(heading).map(([name = '']) => coded(name)[0]?.replace('()', ''))
    expect(named('Registration')).toEqual(membersOf('lib/options.ts', 'RegistrationOptions'))
    expect(named('PostgreSQL')).toEqual(membersOf('lib/store/postgres.ts', 'PostgresStoreOptions'))
  })

  test('members of the audit log, its queries and its events', () => {
    const text = section('The audit log, events and hooks')
    const table = tableOf(text).flatMap(([names = '']) => coded(names))
    expect(sorted(table)).toEqual(sorted(membersOf('lib/store/records.ts', 'AuditEntry')))
    const [, query = ''] = /^The query may name (.*?)\. An entry/m.exec(text) ?? []
    expect(sorted(coded(query))).toEqual(sorted([...membersOf('lib/audit/audit.ts', 'AuditQuery'), 'id']))
    const [, recorded = ''] = /^It has these events: (.*?)\. /m.exec(text) ?? []
    expect(coded(recorded)).toEqual(RECORDED)
  })

  test.each([
    ['onGrant', 'GrantNotice', ['onGrant']],
    ['onReuse', 'ReuseNotice', ['onReuse', 'code', 'refresh_token']],
  ])('what %s is told', (hook, notice, others) => {
    const [told = ''] =
      new RegExp(`\`${hook}\` is told when .*?\`address\``).exec(
        section('The audit log, events and hooks'),
      ) ?? []
    expect(sorted(coded(told))).toEqual(sorted([...membersOf('lib/options.ts', notice), ...others]))
  })

  test('the test kit', () => {
    const table = rows('Testing your app').map(([name = '', what = '']) => ({ name: coded(name)[0], what }))
    expect(sorted(table.map(({ name }) => name?.replace(/\(.*/, '')))).toEqual(
      sorted(membersOf('lib/testing.ts', 'Testing')),
    )
    const members = membersOf('lib/testing.ts', 'TestToken').join(', ')
    expect(sorted(/\{ (.*) \}/.exec(table[1]?.name ?? '')?.[1]?.split(', ') ?? [])).toEqual(
      sorted(members.split(', ')),
    )
    expect(coded(table[2]?.what ?? '').map((name) => name.replace(/\(.*/, ''))).toEqual(
      membersOf('lib/testing.ts', 'TestClock'),
    )
  })

  test('languages, and sections of their texts', () => {
    const [first = '', keys = ''] = section('Languages').split('**Keys.**')
    const [, languages = ''] = /^(.*?)\. A page/s.exec(first) ?? []
    expect(sorted(coded(languages))).toEqual(sorted(builtInLanguages()))
    const [, sections = ''] = /: (.*?)\. An unknown/.exec(keys) ?? []
    const files = readdirSync(path.join(root, 'templates/messages/en'))
    expect(coded(sections)).toEqual(sorted(files.map((file) => file.replace('.json', ''))))
    const texts = files.map((file) => JSON.parse(read(`templates/messages/en/${file}`)))
    const known = new Set(texts.flatMap((text) => Object.keys(text)))
    const used = [...readme.matchAll(/\bth?\('([\w.]+)'/g)].map(([, key = '']) => key)
    const replaced = [...block('messages').matchAll(/'([a-z]+\.\w+)':/g)].map(([, key = '']) => key)
    const own = [...used, ...replaced].filter((key) => !key.startsWith('scope.'))
    expect(own.length).toBeGreaterThan(3)
    expect(own.filter((key) => !known.has(key))).toEqual([])
  })

  test('commands, and their flags', () => {
    const [commands = '', shared = ''] = section('Command line').split('`help <command>`')
    const table = tableOf(commands).map(([name = '', , flags = '']) => ({
      name: coded(name)[0]?.replace(/ [<[].*/, ''),
      flags: coded(flags),
    }))
    expect(table.map(({ name }) => name)).toEqual(COMMANDS.map(({ name }) => name))
    const of = (manual = '') => [...manual.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, flag]) => flag ?? '')
    const common = tableOf(shared.split('###')[0] ?? '').map(([flags = '', whose = '']) => ({
      flags: coded(flags),
      whose: COMMANDS.filter(({ name }) => isOfMany(name, flags, whose)).map(({ name }) => name),
    }))
    for (const { name, manual } of COMMANDS) {
      const own = table.find((row) => row.name === name)?.flags ?? []
      const others = common.filter(({ whose }) => whose.includes(name)).flatMap(({ flags }) => flags)
      expect({ name, flags: sorted([...own, ...others]) }).toEqual({ name, flags: sorted(of(manual)) })
    }
  })

  test('hints for the login', () => {
    for (const name of membersOf('lib/options.ts', 'LoginHints'))
      expect(block('login-hints')).toMatch(new RegExp(`\\b${name}\\b`))
  })

  test('claims, by scope', () => {
    const table = new Map<string, string[]>()
    for (const [scope = '', claims = ''] of rows('Claims')) {
      const [name = ''] = coded(scope)
      table.set(name, sorted([...(table.get(name) ?? []), ...coded(claims)]))
    }
    const known = claimScopes.map((scope): [string, string[]] => [scope, sorted(claimsOfScope(scope))])
    expect(Object.fromEntries(table)).toEqual({ openid: ['sub'], ...Object.fromEntries(known) })
  })

  test('members of a signing key', () => {
    const listed = [...block('keys').matchAll(/\b(kid|alg|state|createdAt|signsFrom)\b/g)].map(
      ([, name]) => name,
    )
    expect(listed).toEqual(membersOf('lib/keys/signing-keys.ts', 'SigningKey'))
  })

  test('client metadata', () => {
    const table = rows('Client metadata')
      .flatMap(([names = '']) => coded(names))
      .filter((name) => !name.includes('#'))
    expect(sorted(table)).toEqual(sorted(membersOf('lib/options.ts', 'ClientMetadata')))
  })

  test('lifetimes, and their defaults', () => {
    const table = rows('Lifetimes').map(([name = '', , value = '']) => [
      coded(name)[0],
      Number.parseInt(value, 10),
    ])
    expect(Object.fromEntries(table)).toEqual(settings.lifetimes)
  })

  test('members of req.auth and of the provider', () => {
    const auth = rows('Guarding your API').map(([name = '']) => coded(name)[0]?.replace('()', ''))
    const ofUsers = membersOf('lib/middleware.ts', 'UserTokenAuth')
    expect(sorted(membersOf('lib/middleware.ts', 'ClientTokenAuth'))).toEqual(sorted(ofUsers))
    expect(sorted(auth)).toEqual(sorted([...membersOf('lib/middleware.ts', 'AnyTokenAuth'), ...ofUsers]))
    for (const name of membersOf('lib/middleware.ts', 'RequireTokenOptions'))
      expect(section('Guarding your API')).toMatch(new RegExp(`\\b${name}: `))
    const provider = rows('The provider').flatMap(([names = '']) =>
      coded(names).map((name) => /^oauth\.(\w+)/.exec(name)?.[1]),
    )
    expect(sorted(provider.filter(Boolean))).toEqual(sorted(membersOf('lib/provider.ts', 'OAuthProvider')))
  })

  test.each([
    ['oauth.clients', 'lib/clients/clients.ts', 'Clients'],
    ['oauth.grants', 'lib/grant-registry.ts', 'Grants'],
    ['oauth.keys', 'lib/keys/signing-keys.ts', 'SigningKeys'],
    ['oauth.audit', 'lib/audit/audit.ts', 'Audit'],
  ])('what %s can do', (member, file, name) => {
    const [, what = ''] = rows('The provider').find(([names = '']) => coded(names)[0] === member) ?? []
    expect(sorted(coded(what).map((method) => method.replace(/\(.*/, '')))).toEqual(
      sorted(membersOf(file, name)),
    )
  })

  test('members of a grant', () => {
    const table = rows('When a user goes, or changes the password').flatMap(([names = '']) => coded(names))
    expect(sorted(table)).toEqual(sorted(membersOf('lib/store/records.ts', 'Grant')))
  })

  test('events, and their members', () => {
    const table = rows('Events').map(([name = '', , members = '']) => [
      coded(name)[0],
      sorted(coded(members)),
    ])
    expect(Object.fromEntries(table)).toEqual(events())
  })

  test('routes under the mount, and their methods', () => {
    const table = rows('Routes')
      .flatMap(([routes = '', methods]) => coded(routes).map((route) => [route, methods]))
      .filter(([route]) => !route?.startsWith('/.well-known/'))
    const methodsOf = (route: Route) => {
      if (route.kind === 'document') return 'GET, HEAD, OPTIONS'
      if (route.kind !== 'machine') return 'GET, HEAD, POST'
      const methods = ['GET', 'POST', 'PUT', 'DELETE'] as const
      return [...methods.filter((method) => route.methods[method]), 'OPTIONS'].join(', ')
    }
    const routes = routeTable({ settings } as Runtime, {} as never, {} as never, {} as never).map((route) => [
      route.path,
      methodsOf(route),
    ])
    expect(Object.fromEntries(table)).toEqual(Object.fromEntries(routes))
  })

  test('what stands behind the proxy for certificates is what the option names', () => {
    const [, option = ''] = /Behind nginx, `mtls: (\{.*?\})`/.exec(readme) ?? []
    const named = [...option.matchAll(/'([\w-]+)'/g)].map(([, name]) => name)
    const members = [...option.matchAll(/(\w+):/g)].map(([, name]) => name)
    const set = [...readme.matchAll(/^ {2}proxy_set_header ([\w-]+) \$ssl_client_\w+;$/gm)].map(
      ([, name]) => name,
    )
    expect(members).toEqual(['clientCertificateHeader', 'clientVerifyHeader'])
    expect(named).toEqual(set)
  })

  test('error codes', () => {
    const table = rows('Errors').filter(isPlace)
    const named = table
      .flatMap(([, text = '']) => coded(text))
      .filter((name) => /^[a-z]+_[a-z_]+$/.test(name))
    const members = ['error_description', 'redirect_uri']
    const codes = keysOf('lib/errors.ts', 'STATUS')
    const inTable = new Set(named.filter((name) => !members.includes(name)))
    expect(sorted([...inTable])).toEqual(sorted(codes))
  })

  test('reasons', () => {
    const table = rows('Errors').filter((row) => !isPlace(row))
    const names = table.flatMap(([, text = '']) => coded(text))
    const named = new Set(names.filter((name) => !name.includes('.')))
    expect(sorted([...named].filter((name) => !OF_FIELD.test(name)))).toEqual(sorted(reasons()))
    for (const example of [
      ...['metadata_redirect_uris', 'client_metadata_redirect_uris', 'document_redirect_uris'],
    ])
      expect(named).toContain(example)
  })

  test('codes of warnings', () => {
    const [, line = ''] = /^Codes of `warning`: (.*)$/m.exec(section('Events')) ?? []
    const texts = sources().filter((text) => /emit\('warning', |\bnotBoolean: \{/.test(text))
    const codes = texts.flatMap((text) =>
      [...text.matchAll(/(?:#warn\(|\bcode: |\[)\s*'([a-z]+(?:_[a-z]+)+)',\s*(?:message:\s*)?['`]\w+ /g)].map(
        ([, code]) => code,
      ),
    )
    expect(codes.length).toBeGreaterThan(4)
    expect(sorted(coded(line))).toEqual(sorted(codes))
  })

  test('custom properties of the theme', () => {
    const [, line = ''] = /^\*\*Theme\.\*\*(.*)$/m.exec(section('Pages')) ?? []
    const declared = new Set(
      [...read('templates/layout.ejs').matchAll(/^ {2}(--[\w-]+):/gm)].map(([, name]) => name),
    )
    expect(sorted(coded(line).filter((name) => name.startsWith('--')))).toEqual(sorted([...declared]))
  })

  test('pages that can be overridden, and the parts that they share', () => {
    const files = readdirSync(path.join(root, 'templates'))
      .filter((file) => file.endsWith('.ejs'))
      .map((file) => file.replace('.ejs', ''))
    const pages = [...unionOf('lib/options.ts', 'PageName'), 'layout']
    const told = [...section('Pages').matchAll(/^`([\w-]+)\.ejs`/gm)].map(([, name]) => name)
    expect(sorted(told)).toEqual(sorted(pages))
    const [, parts = ''] = /^Parts that pages share: (.*)$/m.exec(section('Pages')) ?? []
    expect(sorted(coded(parts))).toEqual(
      sorted(files.filter((name) => !pages.includes(name)).map((name) => `${name}.ejs`)),
    )
  })
})

const signingOut: ClientMetadata = {
  client_id: 'signing-out',
  client_secret: 'signing-out-secret',
  redirect_uris: ['https://rp.example/cb'],
  post_logout_redirect_uris: ['https://rp.example/'],
  client_uri: 'https://rp.example/',
}

describe('on a real host', () => {
  let host: Host
  const shown = new Map<string, Set<string>>()
  beforeAll(async () => {
    host = await startHost({
      provider: {
        authTime: () => 0,
        applications: () => true,
        admin: () => true,
        keepAddresses: true,
        authorizationDetails: { order: { schema: {}, description: 'Order prints' } },
        clients: [...clients, signingOut, ...deviceClients],
        render: (page, locals) => {
          shown.set(page, new Set([...(shown.get(page) ?? []), ...leaves(locals)]))
          const next = locals.url ? `<meta http-equiv="refresh" content="0;url=${locals.url}">` : ''
          return `${next}<input name="_csrf" value="${locals.csrfToken}"><button name="decision">`
        },
      },
    })
  })
  afterAll(() => host.close())

  test('each page gets the locals that the README lists, and no others', async () => {
    const agent = await signedIn(host, 'alice')
    await agent.get('/oauth/authorize?client_id=nobody')
    const flows = [
      {},
      { params: { resource: `${host.origin}/api` } },
      { client: 'nat', params: { redirect_uri: 'com.example.app:/cb' } },
    ]
    for (const flow of flows) {
      const { page } = await toConsent(host, { agent, ...flow })
      await decide(agent, page, 'approve')
      await agent.get(page.url)
    }
    await toConsent(host, { agent, params: { scope: 'read write' } })
    const claims = JSON.stringify({ userinfo: { email: null } })
    const signingIn = { agent, params: { scope: 'openid', claims, prompt: 'consent' } }
    const { page: asking } = await toConsent(host, signingIn)
    await decide(agent, asking, 'approve')
    await toConsent(host, signingIn)
    const authorization_details = JSON.stringify([{ type: 'order' }])
    await toConsent(host, { agent, params: { authorization_details } })
    const { user_code } = await startDevice(host, {
      form: { authorization_details, resource: `${host.origin}/api` },
    })
    await agent.get('/oauth/device')
    const device = await agent.get(`/oauth/device/${user_code}`)
    const decision = { user_code, decision: 'approve', _csrf: inputValue(device, '_csrf') }
    await agent.follow((await agent.post('/oauth/device', decision)).location ?? '')
    await agent.get(authorizeUrl(host, { params: { response_mode: 'form_post', prompt: 'none' } }))
    await agent.get('/oauth/authorized-applications')
    const { client_id, post_logout_redirect_uris: [post_logout_redirect_uri] = [] } = signingOut
    const applicationId = await makeApplication(host, agent)
    await administrate(agent, applicationId)
    for (const decision of ['deny', 'approve']) {
      const asked = { client_id, post_logout_redirect_uri }
      const page = await agent.get(`/oauth/logout?${encode(asked)}`)
      await agent.post('/oauth/logout', { ...asked, decision, _csrf: inputValue(page, '_csrf') })
    }

    const [common = '', ...others] = section('Pages').split(/^`(?=[\w-]+\.ejs`)/m)
    const everywhere = tableOf(common)
      .flatMap(([names = '']) => coded(names))
      .map((name) => name.replace(/\(.*/, ''))
    const told = others
      .map((text): [string, string[]] => {
        const [file = ''] = /^[\w-]+/.exec(text) ?? []
        return [file, tableOf(text).flatMap(([names = '']) => coded(names))]
      })
      .filter(([file]) => file !== 'layout')
    const expected = told.map(([file, names]) => [file, sorted([...everywhere, ...names])])
    const found = [...shown].map(([file, names]) => [file, sorted([...names])])
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected))
  })

  test('the documents that the README lists are served', async () => {
    const documents = section('Routes').match(/`\/\.well-known\/[^`]+`/g) ?? []
    expect(documents.length).toBeGreaterThan(5)
    for (const document of documents) {
      const url = new URL(document.replaceAll('`', ''), host.origin)
      const atRoot = /\/oauth$|protected-resource/.test(url.pathname)
      if (!atRoot) url.pathname = `/oauth${url.pathname}`
      expect({ url: url.pathname, status: (await fetch(url)).status }).toEqual({
        url: url.pathname,
        status: 200,
      })
    }
  })

  test('the Content-Security-Policy of a page is the one that the README quotes', async () => {
    const [, quoted] = /sent with `(default-src [^`]+)`/.exec(section('Pages')) ?? []
    const page = await fetch(`${host.issuer}/authorize`)
    const policy = page.headers.get('content-security-policy')
    expect(policy?.replace(/'nonce-[^']+'/, "'nonce-...'")).toBe(quoted)
  })

  test('an access token of a disabled client lives on, and of a deleted one does not', async () => {
    await host.oauth.clients.create({
      client_id: 'stored',
      client_secret: 'stored-secret',
      redirect_uris: ['https://rp.example/cb'],
    })
    const { code } = await getCode(host, { client: 'stored', user: 'bob' })
    const { body } = await redeem(host, code, { client: 'stored' })
    await host.oauth.clients.update('stored', { disabled: true })
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(200)
    await host.oauth.clients.delete('stored')
    expect((await callApi(host, '/api/read', body.access_token)).status).toBe(401)
  })
})

describe('the code blocks', () => {
  const blocks = [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    language,
    text,
    firstLine: text.split('\n')[0],
  }))

  test.each(blocks.filter(({ language }) => /^[jt]s$/.test(language)))(
    '"$firstLine" parses',
    ({ language, text }) => {
      const parser = language === 'ts' ? { syntax: 'typescript' as const } : { syntax: 'ecmascript' as const }
      expect(parseSync(text, { ...parser, target: 'es2022' }).body.length).toBeGreaterThan(0)
    },
  )

  test('each says its language', () => {
    expect(blocks.filter(({ language }) => !['js', 'ts', 'sh', 'text'].includes(language))).toEqual([])
  })

  test('the quick start is one file of less than 40 lines', () => {
    const [, script = ''] = /<!-- quick-start -->\n```js\n(.*?)```/s.exec(readme) ?? []
    expect(script.trimEnd().split('\n').length).toBeLessThan(40)
    expect(script).toContain('process.env.PORT ?? 3000')
  })

  test('the commands are those of package.json', () => {
    const { scripts } = JSON.parse(read('package.json'))
    const named = [...readme.matchAll(/\bnpm run ([\w-]+)/g)].map(([, name]) => name)
    for (const name of [...named, 'start', 'test']) expect(scripts).toHaveProperty([name ?? ''])
  })

  test('the folders and files of lib are those that there are', () => {
    const named = [
      ...section('Contributing').matchAll(
        /^(?:lib|templates)\/[\w./-]*|(?<=; )(?:lib|templates)\/[\w./-]*/gm,
      ),
    ].map(([name]) => name)
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((name) => !existsSync(path.join(root, name)))).toEqual([])
    const folders = readdirSync(path.join(root, 'lib'), { withFileTypes: true }).filter((e) =>
      e.isDirectory(),
    )
    expect(folders.map(({ name }) => `lib/${name}/`).filter((name) => !named.includes(name))).toEqual([])
  })
})

test('internal links lead to a heading or a file that there is', () => {
  const anchors = [...readme.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => `#${slug(heading)}`)
  const links = [...readme.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  const internal = links.filter((target) => !/^https?:/.test(target))
  expect(internal.length).toBeGreaterThan(5)
  const broken = internal.filter((target) =>
    target.startsWith('#') ? !anchors.includes(target) : !existsSync(path.join(root, target)),
  )
  expect(broken).toEqual([])
})

test('the changelog has this version', () => {
  const { version } = JSON.parse(read('package.json'))
  const versions = [...read('CHANGELOG.md').matchAll(/^## (\d\S*) - \d{4}-\d\d-\d\d$/gm)].map(
    ([, found]) => found,
  )
  expect(versions[0]).toBe(version)
})

/** Every step of the pages for who makes applications. Answers the id of the one that is made. */
async function makeApplication(host: Host, agent: Agent): Promise<string> {
  const at = '/oauth/applications'
  const made = {
    type: 'web',
    client_name: 'Prints',
    redirect_uris: 'https://prints.example/cb',
    scope: 'read',
  }
  const empty = await agent.get(`${at}/new`)
  const _csrf = inputValue(empty, '_csrf')
  await agent.post(`${at}/new`, { _csrf, ...made, client_name: '', redirect_uris: 'x', scope: undefined })
  const pages = { client_uri: 'x', policy_uri: 'x', tos_uri: 'x' }
  await agent.post(`${at}/new`, { _csrf, ...made, ...pages })
  await agent.post(`${at}/new`, { _csrf, ...made })
  await agent.get(at)
  const [{ client_id } = { client_id: '' }] = await host.oauth.clients.list({ ownerId: 'alice' })
  const page = `${at}/${client_id}`
  await agent.post(page, { _csrf, action: 'rotate', overlap: '86400', revision: '1' })
  await agent.get(`${page}?confirm=delete`)
  const asked = await agent.post(page, { _csrf, action: 'try' })
  const consent = await agent.follow(asked.location ?? '')
  await agent.follow((await decide(agent, consent, 'approve')).location ?? '')
  return client_id
}

/** Every page for administrators, with something on it. */
async function administrate(agent: Agent, id: string): Promise<void> {
  const at = '/oauth/admin'
  await agent.get(at)
  await agent.get(`${at}?withdraw=read`)
  for (const client of ['conf', signingOut.client_id, id]) await agent.get(`${at}/client?id=${client}`)
  await agent.get(`${at}/user?id=alice&confirm=revoke`)
  for (const confirm of ['block', 'revoke']) await agent.get(`${at}/client?id=${id}&confirm=${confirm}`)
  await agent.get(`${at}/client?id=nobody`)
  await agent.get(`${at}/user`)
  await agent.get(`${at}/user?id=alice`)
  await agent.get(`${at}/audit`)
}

/** Whether flags of several commands are of this one, as the table says whose they are. */
function isOfMany(command: string, flags: string, whose: string): boolean {
  const named = coded(whose).filter((name) => !name.startsWith('--'))
  if (whose.startsWith('all but')) return !named.includes(command)
  if (whose.startsWith('all that change'))
    return /^(?:clients (?:add|update|rotate|remove)|grants revoke|keys (?:rotate|revoke))/.test(command)
  if (whose.startsWith('the same')) return ['clients add', 'clients update'].includes(command)
  if (flags.includes('--json') || whose.startsWith('all')) return true
  return named.includes(command)
}

/** The text under a heading, up to the next one of its rank or a higher one. */
function section(heading: string): string {
  const found = new RegExp(`^(#+) ${heading}\\n`, 'm').exec(readme)
  if (!found) throw new Error(`README.md has no heading "${heading}"`)
  const rest = readme.slice(found.index + found[0].length)
  const end = rest.search(new RegExp(`^#{1,${found[1]?.length}} `, 'm'))
  return end < 0 ? rest : rest.slice(0, end)
}

/** The code block after a mark in the text. */
function block(mark: string): string {
  const [, text] = new RegExp(`<!-- ${mark} -->\\n\`\`\`\\w+\\n(.*?)^\`\`\`$`, 'ms').exec(readme) ?? []
  if (text === undefined) throw new Error(`README.md has no code block after <!-- ${mark} -->`)
  return text
}

/** Every file of lib. */
function sources(): string[] {
  const files = readdirSync(path.join(root, 'lib'), { recursive: true }).map(String)
  return files.filter((file) => file.endsWith('.ts')).map((file) => read(`lib/${file}`))
}

/** Whether a row of the section "Errors" is about a place and not about an event. */
function isPlace([where = '']: readonly string[]): boolean {
  return /^(?:`\/|`requireToken|anywhere)/.test(where)
}

function rows(heading: string): string[][] {
  return tableOf(section(heading))
}

/** The rows of all tables in a text, without their heads. */
function tableOf(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'))
  const isRule = (line?: string) => /^\|[\s|-]+\|$/.test(line ?? '')
  const body = lines.filter((line, index) => !isRule(line) && !isRule(lines[index + 1]))
  if (body.length === 0 && !text.startsWith('layout')) throw new Error(`no table in: ${text.slice(0, 200)}`)
  return body.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** What stands in backticks. */
function coded(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}

function sorted<T>(names: Iterable<T>): T[] {
  return [...names].sort()
}

/** GitHub's anchor of a heading. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}

/** The paths of all values in the locals of a page: `newScopes[].name`. */
function leaves(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => leaves(item, `${at}[]`))
  if (typeof value !== 'object' || value === null || value instanceof Date) return [at]
  return Object.entries(value).flatMap(([name, member]) => leaves(member, at === '' ? name : `${at}.${name}`))
}

type Node = { readonly type?: string; readonly [member: string]: unknown }

function nodes(file: string): Node[] {
  const found: Node[] = []
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    if (!Array.isArray(value) && 'type' in value) found.push(value as Node)
    for (const member of Object.values(value)) visit(member)
  }
  visit(parseSync(read(file), { syntax: 'typescript', target: 'es2022' }))
  return found
}

function interfaceOf(file: string, name: string): Node[] {
  const found = nodes(file).find(
    ({ type, id }) => type === 'TsInterfaceDeclaration' && (id as Node).value === name,
  )
  if (!found) throw new Error(`${file} has no interface ${name}`)
  return (found.body as Node).body as Node[]
}

function nameOf({ key }: Node): string {
  return String((key as Node).value)
}

function membersOf(file: string, name: string): string[] {
  return interfaceOf(file, name)
    .filter(({ type }) => type !== 'TsIndexSignature')
    .map(nameOf)
}

/** Each event with its members; a question mark behind those that may be missing. */
function events(): Record<string, string[]> {
  const members = (event: Node) => {
    const { elemTypes } = (event.typeAnnotation as Node).typeAnnotation as Node
    const [{ ty }] = elemTypes as [{ ty: Node }]
    const shapes = (ty.type === 'TsUnionType' ? ty.types : [ty]) as { members: Node[] }[]
    const found = shapes.flatMap(({ members }) => members)
    const optional = new Set(found.filter((member) => member.optional).map(nameOf))
    const names = new Set(found.map(nameOf))
    return sorted([...names].map((name) => `${name}${optional.has(name) ? '?' : ''}`))
  }
  return Object.fromEntries(
    interfaceOf('lib/events.ts', 'ProviderEvents').map((event) => [nameOf(event), members(event)]),
  )
}

/** The keys of a constant that is an object. */
function keysOf(file: string, name: string): string[] {
  const declared = nodes(file).find(
    ({ type, id }) => type === 'VariableDeclarator' && (id as Node).value === name,
  )
  if (!declared) throw new Error(`${file} has no constant ${name}`)
  const { expression } = declared.init as { expression: { properties: Node[] } }
  return expression.properties.map(nameOf)
}

/** What makes an error of a reason. That is one of its arguments; the others are sentences, error codes and no texts. */
const REFUSALS = [
  ...['refuse', 'refused', 'refusal', 'refusePushed', 'dead'],
  ...['invalidGrant', 'invalidClient', 'invalidToken', 'invalidProof', 'invalidDetails'],
]

/** What the variables may be that reasons are made of, by file. */
function variables(): Record<string, Record<string, readonly string[]>> {
  const times = unionOf('lib/keys/jwt-claims.ts', 'TimeProblem')
  const keys = unionOf('lib/clients/key-search.ts', 'KeyProblem')
  const flaws = unionOf('lib/tokens/flaw.ts', 'Flaw')
  return {
    'lib/authorization/request.ts': { name: ['request_uri', 'registration'] },
    'lib/bearer/check.ts': { flaw: flaws },
    'lib/client-auth/assertion-claims.ts': { expiresAt: times },
    'lib/client-auth/authenticate.ts': { reason: ['metadata_redirect_uris'] },
    'lib/grants/assertion.ts': { expiresAt: times, problem: keys },
    'lib/grants/exchanged-token.ts': {
      role: unionOf('lib/grants/exchanged-token.ts', 'Role'),
      reason: [...flaws, 'token_unknown', 'client_unknown'],
    },
    // An exp that is far ahead is no flaw of a request object.
    'lib/requests/object-claims.ts': {
      problem: ['audience', 'nested', ...times.filter((time) => time !== 'lifetime')],
    },
    'lib/requests/pushed.ts': { problem: ['unknown', 'foreign', 'used', 'expired', 'withdrawn'] },
    'lib/clients/fields.ts': { field: ['redirect_uris'] },
    'lib/clients/document-refusal.ts': { member: ['redirect_uris'] },
    'lib/registration/software-statement.ts': {
      problem: times,
      reason: ['malformed', 'issuer', 'header', 'typ', 'algorithm', 'audience', ...keys],
    },
  }
}

/** Those of which another reason is made. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  'lib/requests/object-claims.ts': ['refusal'],
  'lib/requests/pushed.ts': ['refusePushed'],
  'lib/endpoints/consent-answer.ts': ['refusePushed'],
  'lib/grants/exchanged-token.ts': ['dead'],
  'lib/registration/software-statement.ts': ['refused'],
  // Refuses a member of metadata, which is part of the reason.
  'lib/registration/unasked.ts': ['refuse'],
}

/** A reason that names a field of client metadata. */
const OF_FIELD = /^(?:client_)?metadata_|^document_(?!unavailable$)/

/** Every reason in lib, but those that name a field of client metadata. */
function reasons(): Set<string> {
  const known = variables()
  const files = readdirSync(path.join(root, 'lib'), { recursive: true }).map((file) => `lib/${file}`)
  const constants = Object.fromEntries(
    files
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => [...read(file).matchAll(TEXT_CONSTANT)].map(([, name, text]) => [name, [text]])),
  )
  const found = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const values = { ...constants, ...known[file] }
      return nodes(file).flatMap((node) => reasonsAt(node, values, PARTS[file] ?? []))
    })
  return new Set(
    found.filter((name) => /^[a-z]+(_[a-z]+)*$/.test(name)).filter((name) => !OF_FIELD.test(name)),
  )
}

type Values = Readonly<Record<string, readonly string[]>>

const TEXT_CONSTANT = /^(?:export )?const ([A-Z_]+) = '([a-z_]+)'$/gm

function reasonsAt(node: Node, values: Values, parts: readonly string[]): string[] {
  if (node.type === 'KeyValueProperty' && nameOf(node) === 'reason') return texts(node.value, values)
  if (node.type === 'ArrayExpression') return ofPair(node)
  if (node.type !== 'CallExpression') return []
  const callee = String((node.callee as Node).value)
  if (!REFUSALS.includes(callee) || parts.includes(callee)) return []
  const codes = keysOf('lib/errors.ts', 'STATUS')
  const found = (node.arguments as { expression: unknown }[]).flatMap(({ expression }) =>
    texts(expression, values),
  )
  return found.filter((text) => !codes.includes(text))
}

/** A sentence and a reason. */
function ofPair(node: Node): string[] {
  const [sentence, reason, more] = (node.elements as { expression: Node }[]).map(
    ({ expression }) => expression,
  )
  const says =
    /^(?:String|Template)Literal$/.test(sentence?.type ?? '') && JSON.stringify(sentence).includes(' ')
  return says && more === undefined && reason?.type === 'StringLiteral' ? [String(reason.value)] : []
}

/** The strings that an expression may come to. */
function texts(expression: unknown, values: Values): string[] {
  const { type, value, consequent, alternate, quasis, expressions } = expression as Node
  if (type === 'StringLiteral') return [String(value)]
  if (type === 'Identifier') return [...(values[String(value)] ?? [])]
  if (type === 'ConditionalExpression') return [...texts(consequent, values), ...texts(alternate, values)]
  if (type !== 'TemplateLiteral') return []
  const [first = '', ...others] = (quasis as { cooked: string }[]).map(({ cooked }) => cooked)
  if (![first, ...others].every((text) => /^[a-z_]*$/.test(text))) return []
  return others.reduce(
    (starts, text, index) => {
      const inserted = valuesOf((expressions as Node[])[index], values)
      return starts.flatMap((start) => inserted.map((part) => start + part + text))
    },
    [first],
  )
}

function valuesOf(variable: Node | undefined, values: Values): readonly string[] {
  const found = values[String(variable?.value)]
  if (found === undefined) throw new Error(`What may ${variable?.value} be, of which a reason is made?`)
  return found
}

/** The strings of a type that is a union of them. */
function unionOf(file: string, name: string): string[] {
  const found = nodes(file).find(
    ({ type, id }) => type === 'TsTypeAliasDeclaration' && (id as Node).value === name,
  )
  if (!found) throw new Error(`${file} has no type ${name}`)
  const { types } = found.typeAnnotation as { types: { literal: { value: string } }[] }
  return types.map(({ literal }) => literal.value)
}
