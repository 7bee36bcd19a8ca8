import { writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { AuditEntry } from '../../lib/store/records.js'
import { pkjKey } from '../support/clients.js'
import { type CommandLine, commandLine } from '../support/command-line.js'
import { sendForm } from '../support/command-line-host.js'
import { authorizeUrl, basic, callApi, getCode, getTokens, signedIn, VERIFIER } from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'

const CALLBACK = 'https://rp.example/cb'

let line: CommandLine
let host: Host
beforeAll(async () => {
  line = commandLine()
  host = await startHost({ provider: { store: line.file('oauth.db') } })
})
afterAll(async () => {
  await host.close()
  line.remove()
})

const add = (...flags: string[]) =>
  line.json<{ client_id: string; client_secret?: string } & Record<string, unknown>>([
    ...['clients', 'add', '--redirect-uri', CALLBACK],
    ...flags,
  ])

describe('clients add', () => {
  test('makes a client that can sign users in at once, at a provider that runs on the same file', async () => {
    const { code, stdout, stderr } = await line.run([
      'clients',
      'add',
      '--name',
      'Print shop',
      '--redirect-uri',
      CALLBACK,
    ])
    expect(code).toBe(0)
    const [, id = '', secret = ''] = /^client_id +(\S+)\nclient_secret +(\S+)\n$/.exec(stdout) ?? []
    expect(secret.length).toBeGreaterThanOrEqual(43)
    expect(stderr).toMatch(/never shown again/)
    const { code: authorizationCode } = await getCode(host, { client: id })
    const answer = await sendForm(host, '/token', basic(id, secret), {
      grant_type: 'authorization_code',
      code: authorizationCode,
      redirect_uri: CALLBACK,
      code_verifier: VERIFIER,
    })
    expect(answer.status).toBe(200)
    expect((await callApi(host, '/api/read', answer.body.access_token as string)).status).toBe(200)
  })

  test('takes its flags for metadata, and answers them under the names of RFC 7591', async () => {
    const client = await add(
      ...[
        '--name',
        'Station',
        '--redirect-uri',
        'https://rp.example/second',
        '--scope',
        'read write',
        '--scope',
        'email',
      ],
      ...['--grant-type', 'authorization_code', '--grant-type', 'device_code', '--skip-consent', '--verify'],
      ...['--auth-method', 'client_secret_post'],
    )
    expect(client).toMatchObject({
      client_name: 'Station',
      redirect_uris: [CALLBACK, 'https://rp.example/second'],
      scope: 'read write email',
      grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
      token_endpoint_auth_method: 'client_secret_post',
      skip_consent: true,
      verified: true,
      client_secret: expect.any(String),
    })
  })

  test('gives a public client no secret, and says nothing of one', async () => {
    const { stdout, stderr } = await line.run([
      ...['clients', 'add', '--public', '--redirect-uri', 'app.example:/cb', '--client-id', 'the-app'],
    ])
    expect(stdout).toBe('client_id  the-app\n')
    expect(stderr).not.toMatch(/secret/)
    expect(stderr).toMatch(/no user of your app has the id 'the-app'/)
    expect(await host.oauth.clients.get('the-app')).toMatchObject({ token_endpoint_auth_method: 'none' })
  })

  test('reads keys and further metadata from files, over which flags win', async () => {
    const { d: _, ...publicKey } = pkjKey as Record<string, unknown>
    writeFileSync(line.file('keys.json'), JSON.stringify({ keys: [publicKey] }))
    writeFileSync(
      line.file('client.json'),
      `\uFEFF${JSON.stringify({ client_name: 'From the file', client_uri: 'https://rp.example', 'client_name#ja': '印刷' })}`,
    )
    const files = ['--jwks', 'keys.json', '--metadata', 'client.json']
    const client = await add(...files, '--auth-method', 'private_key_jwt', '--name', 'From the flag')
    expect(client).toMatchObject({
      client_name: 'From the flag',
      'client_name#ja': '印刷',
      client_uri: 'https://rp.example',
      jwks: { keys: [expect.objectContaining({ kty: publicKey.kty })] },
    })
    expect(client.client_secret).toBeUndefined()
  })

  test('does not repeat a secret that was chosen in the file', async () => {
    writeFileSync(line.file('chosen.json'), '{ "client_secret": "chosen-by-a-person" }')
    const { code, stdout, stderr } = await line.run([
      ...[
        'clients',
        'add',
        '--redirect-uri',
        CALLBACK,
        '--metadata',
        'chosen.json',
        '--client-id',
        'chosen',
        '--json',
      ],
    ])
    expect(code).toBe(0)
    expect(stdout + stderr).not.toMatch(/chosen-by-a-person/)
    const answer = await sendForm(host, '/token', basic('chosen', 'chosen-by-a-person'), {
      grant_type: 'nothing',
    })
    expect(answer.body.error).toBe('unsupported_grant_type')
  })

  test('refuses what oauth.clients refuses, and names the flag', async () => {
    const wrong = await line.run(['clients', 'add', '--redirect-uri', 'http://rp.example/cb'])
    expect(wrong).toMatchObject({ code: 1, stdout: '' })
    expect(wrong.stderr).toMatch(
      /^Error: The redirect URI http:\/\/rp\.example\/cb is http .*\(--redirect-uri\)\n$/,
    )
    const taken = await line.run([
      'clients',
      'add',
      '--redirect-uri',
      CALLBACK,
      '--client-id',
      'the-app',
      '--json',
    ])
    expect(taken.code).toBe(1)
    expect(JSON.parse(taken.stderr)).toEqual({
      error: 'invalid_client_metadata',
      reason: 'metadata_client_id',
      message: expect.stringMatching(/taken.*\(--client-id\)$/),
      exitCode: 1,
    })
  })

  test('knows the scopes of no app: refuses a misspelt one only where --scopes names them', async () => {
    expect((await add('--scope', 'phones')).scope).toBe('phones')
    const misspelt = [
      'clients',
      'add',
      '--redirect-uri',
      CALLBACK,
      '--scope',
      'fotos',
      '--scopes',
      'photos write',
    ]
    expect((await line.run(misspelt)).stderr).toMatch(/unknown scope 'fotos'. Did you mean 'photos'/)
  })

  test('takes what depends on options of the app: it knows whether they are set', async () => {
    writeFileSync(
      line.file('options.json'),
      JSON.stringify({
        subject_type: 'pairwise',
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_san_dns: 'rp.example',
      }),
    )
    expect(await add('--metadata', 'options.json')).toMatchObject({ subject_type: 'pairwise' })
  })

  test('takes http in URLs that the server fetches only where it is told to', async () => {
    const flags = ['--auth-method', 'private_key_jwt', '--jwks-uri', 'http://localhost:9/keys']
    expect((await line.run(['clients', 'add', '--redirect-uri', CALLBACK, ...flags])).stderr).toMatch(
      /is http/,
    )
    expect(await add(...flags, '--allow-private-addresses')).toMatchObject({
      jwks_uri: 'http://localhost:9/keys',
    })
  })

  test('encrypts the secret of a client with client_secret_jwt with OAUTH_SECRET, and asks for that', async () => {
    const argv = [
      'clients',
      'add',
      '--redirect-uri',
      CALLBACK,
      '--auth-method',
      'client_secret_jwt',
      '--client-id',
      'jwt',
    ]
    expect(await line.run(argv)).toMatchObject({ code: 1, stderr: expect.stringMatching(/option secret/) })
    const short = await line.run(argv, { env: { OAUTH_SECRET: 'short' } })
    expect(short.stderr).toMatch(/secret has 5 characters.*OAUTH_SECRET/)
    expect((await line.run(argv, { env: { OAUTH_SECRET: 's'.repeat(32) } })).code).toBe(0)
    const alone = await line.run(argv, { env: { OAUTH_SECRET_OLD: 's'.repeat(32) } })
    expect(alone.stderr).toMatch(/OAUTH_SECRET_OLD is set without OAUTH_SECRET/)
  })

  test.each([
    [['clients', 'add'], 2, /Say what the client is/],
    [
      ['clients', 'add', '--public', '--auth-method', 'none'],
      2,
      /--public and --auth-method exclude each other/,
    ],
    [['clients', 'add', '--jwks', 'none.json'], 2, /none\.json cannot be read \(ENOENT\)/],
    [['clients', 'add', '--metadata', 'broken.json'], 1, /broken\.json is not JSON/],
    [['clients', 'add', '--metadata', 'list.json'], 1, /list\.json is no JSON object/],
    [
      ['clients', 'add', '--metadata', 'unknown.json'],
      1,
      /redirect_uri is not known. Did you mean redirect_uris/,
    ],
  ])('%j ends with %i', async (argv, code, message) => {
    writeFileSync(line.file('broken.json'), '{ "client_secret": "in-the-file", ')
    writeFileSync(line.file('list.json'), '[]')
    writeFileSync(line.file('unknown.json'), '{ "redirect_uri": "https://rp.example/cb" }')
    const answer = await line.run(argv)
    expect(answer).toMatchObject({ code, stdout: '' })
    expect(answer.stderr).toMatch(message)
    expect(answer.stderr).not.toMatch(/in-the-file/)
  })
})

describe('clients list and show', () => {
  test('list answers all clients in the store as an array, and finds some of them', async () => {
    await add('--name', 'Findable')
    const list = (...flags: string[]) => line.json<Record<string, unknown>[]>(['clients', 'list', ...flags])
    const all = await list()
    expect(all.length).toBeGreaterThan(3)
    expect(all.every(({ client_id }) => typeof client_id === 'string')).toBe(true)
    expect(all.some(({ client_id }) => client_id === 'conf')).toBe(false)
    expect((await list('--matching', 'indabl')).map(({ client_name }) => client_name)).toEqual(['Findable'])
    expect(await list('--source', 'registration')).toEqual([])
    expect((await list('--source', 'host')).length).toBe(all.length)
    expect(await line.run(['clients', 'list', '--source', 'hots'])).toMatchObject({ code: 2 })
  })

  test('list is a table whose columns stand under each other', async () => {
    const { stdout } = await line.run(['clients', 'list', '--matching', 'the-app'])
    const [titles = '', row = '', ...others] = stdout.trimEnd().split('\n')
    expect(others).toEqual([])
    expect(titles).toMatch(/^ID +NAME +TYPE +SOURCE +VERIFIED +DISABLED +CREATED \(UTC\)$/)
    expect(row).toMatch(/^the-app +the-app +public +host +- +no +\d{4}-\d\d-\d\d \d\d:\d\d$/)
    expect(row.indexOf('public')).toBe(titles.indexOf('TYPE'))
  })

  test('neither shows what proves a client', async () => {
    const { client_id: id, client_secret: secret } = await add()
    for (const argv of [
      ['clients', 'list'],
      ['clients', 'show', id],
    ]) {
      for (const json of [[], ['--json']]) {
        const { stdout } = await line.run([...argv, ...json])
        expect(stdout).toContain(id)
        expect(stdout).not.toContain(secret)
        expect(stdout).not.toMatch(/sha256|registration_token|"secret"/)
      }
    }
  })

  test('a name cannot drive the terminal', async () => {
    const name = '\u001b]0;owned\u0007\u001b[31mBank\u202egnp.exe\u009b2J\u200d\r\nfake  row'
    writeFileSync(line.file('evil.json'), JSON.stringify({ client_name: name, contacts: ['\u001b[2J a'] }))
    const { client_id: id } = await add('--metadata', 'evil.json', '--client-id', 'evil')
    for (const argv of [
      ['clients', 'list', '--matching', 'evil'],
      ['clients', 'show', id],
      ['clients', 'show', id, '--json'],
    ]) {
      const { stdout } = await line.run(argv, { columns: 200, env: { NO_COLOR: '1' } })
      expect(stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u)
    }
    const { stdout } = await line.run(['clients', 'list', '--matching', 'evil'])
    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
    expect(stdout).toContain('\\x1b]0;owned\\x07\\x1b[31mBank\\u{202e}gnp.exe\\x9b2J')
    expect((await line.json<{ client_name: string }>(['clients', 'show', id])).client_name).toBe(name)
    const asked = await line.run(['clients', 'remove', id], { typed: ['n'] })
    expect(asked.stderr).not.toContain('\u001b]0;')
  })

  test('show says of a client that is not in the store where else it may be', async () => {
    const { code, stderr } = await line.run(['clients', 'show', 'conf'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/no client 'conf' in this store. Clients of the option clients are in the code/)
  })

  test.each(['-hyphen_id', '-with-another-Within', '-a--b', '-'])(
    'an id may begin with a hyphen, as generated ones do: %s',
    async (id) => {
      await add('--client-id', id)
      expect(await line.json(['clients', 'show', id])).toMatchObject({ client_id: id })
      expect(await line.json(['clients', 'show', '--', id])).toMatchObject({ client_id: id })
      expect(await line.json(['grants', 'list', '--client', id])).toEqual([])
      expect(await line.json(['grants', 'list', `--client=${id}`])).toEqual([])
    },
  )
})

describe('clients update', () => {
  test('changes what is named, at the running provider too, and leaves the rest', async () => {
    const { client_id: id } = await add('--name', 'Before', '--scope', 'read')
    const { code, stdout } = await line.run([
      'clients',
      'update',
      id,
      '--redirect-uri',
      'https://new.example/cb',
    ])
    expect([code, stdout]).toEqual([0, 'Changed: redirect_uris.\n'])
    const page = await (await signedIn(host, 'alice')).get(authorizeUrl(host, { client: id }))
    expect(page.status).toBe(400)
    expect(await host.oauth.clients.get(id)).toMatchObject({
      client_name: 'Before',
      scope: 'read',
      redirect_uris: ['https://new.example/cb'],
    })
  })

  test('--disable ends what users allowed at once, and --enable lets the client ask again', async () => {
    const { client_id: id, client_secret: secret = '' } = await add()
    const { code } = await getCode(host, { client: id })
    const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: VERIFIER }
    const { body } = await sendForm(host, '/token', basic(id, secret), form)
    expect((await callApi(host, '/api/read', body.access_token as string)).status).toBe(200)
    expect(await line.json(['clients', 'update', id, '--disable', '--yes'])).toMatchObject({ disabled: true })
    expect((await callApi(host, '/api/read', body.access_token as string)).status).toBe(401)
    expect(await line.json(['clients', 'update', id, '--enable', '--verify'])).toMatchObject({
      disabled: false,
      verified: true,
    })
    expect((await callApi(host, '/api/read', body.access_token as string)).status).toBe(401)
    expect((await getCode(host, { client: id })).code).toBeDefined()
    expect(await line.json(['clients', 'update', id, '--unverify'])).toMatchObject({ verified: false })
  })

  test('--disable asks, and says whose access ends for good; anything but yes leaves all as it is', async () => {
    const { client_id: id, client_secret: secret = '' } = await add('--name', 'Old shop')
    const { code } = await getCode(host, { client: id })
    const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: VERIFIER }
    const { body } = await sendForm(host, '/token', basic(id, secret), form)
    const status = async () => (await callApi(host, '/api/read', body.access_token as string)).status
    const update = ['clients', 'update', id, '--disable', '--name', 'Closed']
    const silent = await line.run(update)
    expect(silent).toMatchObject({ code: 2, stdout: '' })
    expect(silent.stderr).toMatch(/^Error: Nobody can be asked here\. Add --yes if the answer is yes: Block /)
    const no = await line.run(update, { typed: ['n'] })
    expect(no).toMatchObject({ code: 1, stdout: '' })
    expect(no.stderr).toMatch(
      /Block 'Old shop' \(.*\), and end the access that 1 user allowed it\? Unblocking it does not bring that back\. \[y\/N\]/,
    )
    expect([await status(), (await host.oauth.clients.get(id))?.client_name]).toEqual([200, 'Old shop'])
    expect(await line.run(update, { typed: ['y'] })).toMatchObject({
      code: 0,
      stdout:
        'Changed: client_name, blocked. The access of 1 user has ended, and --enable does not bring it back.\n',
    })
    expect(await status()).toBe(401)
    const again = await line.run(['clients', 'update', id, '--disable', '--yes'])
    expect(again.stdout).toBe('Changed: blocked.\n')
  })

  test('--skip-consent is taken back by --ask-consent', async () => {
    const { client_id: id } = await add('--skip-consent')
    expect(await line.json(['clients', 'update', id, '--ask-consent'])).toMatchObject({ skip_consent: false })
  })

  test.each([
    [['clients', 'update'], 2, /The client id is missing/],
    [['clients', 'update', 'the-app'], 2, /Say what shall change/],
    [['clients', 'update', 'the-app', '--enable', '--disable'], 2, /exclude each other/],
    [['clients', 'update', 'nobody', '--verify'], 1, /no client 'nobody'/],
    [['clients', 'update', 'the-app', '--redirect-uri', 'https://a.example/#b'], 1, /has a fragment/],
  ])('%j ends with %i', async (argv, code, message) => {
    expect(await line.run(argv)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) })
  })
})

describe('clients rotate-secret', () => {
  const tryIt = async (id: string, secret: string) =>
    (await sendForm(host, '/token', basic(id, secret), { grant_type: 'nothing' })).body.error

  test('shows the new secret once; the old one ends at once', async () => {
    const { client_id: id, client_secret: old = '' } = await add()
    const { stdout, stderr } = await line.run(['clients', 'rotate-secret', id])
    const secret = /client_secret +(\S+)/.exec(stdout)?.[1] ?? ''
    expect(stderr).toMatch(/never shown again/)
    expect(stdout).toMatch(/old secret +has ended/)
    expect(await tryIt(id, secret)).toBe('unsupported_grant_type')
    expect(await tryIt(id, old)).toBe('invalid_client')
  })

  test('with --overlap the old one counts until the time that it says', async () => {
    const { client_id: id, client_secret: old = '' } = await add()
    const now = host.now()
    const rotated = await line.json(['clients', 'rotate-secret', id, '--overlap', '7d'], { now: () => now })
    const end = rotated.previous_client_secret_expires_at as string
    expect(Math.abs(Date.parse(end) - (now + 7 * 86_400_000))).toBeLessThan(1000)
    expect(await tryIt(id, old)).toBe('unsupported_grant_type')
    expect(await line.json(['clients', 'show', id])).toHaveProperty('previous_client_secret_expires_at')
  })

  test.each([
    [['clients', 'rotate-secret', 'the-app'], 1, /it has no secret/],
    [['clients', 'rotate-secret', 'chosen', '--overlap', 'long'], 2, /--overlap 'long' is no length of time/],
    [
      ['clients', 'rotate-secret', 'chosen', '--overlap', '100d'],
      2,
      /--overlap is at most 90d, and 100d is more/,
    ],
    [['clients', 'rotate-secret', 'conf'], 1, /no client 'conf' in this store/],
  ])('%j ends with %i', async (argv, code, message) => {
    expect(await line.run(argv)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) })
  })
})

describe('clients remove', () => {
  test('asks, and says how many users it is about; anything but yes leaves all as it is', async () => {
    const { client_id: id, client_secret: secret = '' } = await add('--name', 'Old shop')
    const { code } = await getCode(host, { client: id, user: 'bob' })
    const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: VERIFIER }
    const { body } = await sendForm(host, '/token', basic(id, secret), form)
    const no = await line.run(['clients', 'remove', id], { typed: [''] })
    expect(no).toMatchObject({ code: 1, stdout: '' })
    expect(no.stderr).toMatch(
      /Delete 'Old shop' \(.*\), and end the access that 1 user allowed it\? \[y\/N\]/,
    )
    expect((await callApi(host, '/api/read', body.access_token as string)).status).toBe(200)
    const yes = await line.run(['clients', 'remove', id], { typed: ['y'] })
    expect(yes).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Deleted/) })
    expect((await callApi(host, '/api/read', body.access_token as string)).status).toBe(401)
  })

  test('does not ask where nobody sits: --yes has to say it', async () => {
    const { client_id: id } = await add()
    expect(await line.run(['clients', 'remove', id])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/Add --yes/),
    })
    expect(await host.oauth.clients.get(id)).toBeDefined()
    expect(await line.json(['clients', 'remove', id, '--yes'])).toEqual({
      client_id: id,
      deleted: true,
      grants: 0,
    })
    expect(await host.oauth.clients.get(id)).toBeUndefined()
    expect((await line.run(['clients', 'remove', id, '--yes'])).code).toBe(1)
  })

  test('the end of the input, or Ctrl-C, is no yes', async () => {
    const { client_id: id } = await add()
    expect(await line.run(['clients', 'remove', id], { typed: [] })).toMatchObject({ code: 130 })
    expect(await line.run(['clients', 'remove', id], { typed: ['\u0003'] })).toMatchObject({ code: 130 })
    expect(await host.oauth.clients.get(id)).toBeDefined()
  })
})

test('a client that is damaged in the store is told of, left out of the list, and can be removed', async () => {
  const [{ client_id: id }, { client_id: whole }] = [await add(), await add()]
  const db = new Database(line.file('oauth.db'))
  db.prepare("UPDATE oauth_clients SET data = '{' WHERE id = ?").run(id)
  db.close()
  const { code, stdout, stderr } = await line.run(['clients', 'list'])
  expect([code, stdout.includes(id), stdout.includes(whole)]).toEqual([0, false, true])
  expect(stderr).toMatch(/^A client in the store is damaged.*backup/)
  const shown = await line.run(['clients', 'show', id])
  expect(shown).toMatchObject({ code: 1, stderr: expect.stringContaining(`The client '${id}' in the store`) })
  expect((await line.run(['clients', 'remove', id, '--yes'])).code).toBe(0)
  expect((await line.run(['clients', 'list'])).stderr).toBe('')
})

test('every change is in the audit log, as the host made it, unless the app keeps none', async () => {
  const { client_id: id } = await add()
  await line.run(['clients', 'update', id, '--name', 'Another'])
  await line.run(['clients', 'update', id, '--verify'])
  await line.run(['clients', 'rotate-secret', id])
  await line.run(['clients', 'update', id, '--name', 'A third', '--no-audit'])
  await line.run(['clients', 'remove', id, '--yes'])
  const entries = await host.oauth.audit.list({ clientId: id })
  const told = entries.map(({ event, by, details }: AuditEntry) => [event, by, details?.change])
  expect(new Set(told.map(String))).toEqual(
    new Set(
      ['created', 'updated', 'verified', 'secret_rotated', 'deleted'].map(
        (change) => `client.changed,host,${change}`,
      ),
    ),
  )
  expect(told).toHaveLength(5)
})

test('tokens of other clients live through all of this', async () => {
  const { access_token: token } = await getTokens(host)
  await add()
  expect((await callApi(host, '/api/read', token)).status).toBe(200)
})
