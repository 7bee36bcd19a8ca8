import Database from 'better-sqlite3'
import type { ErrorRequestHandler } from 'express'
import pg from 'pg'
import { OAuthError, type OAuthProviderOptions } from '../../lib/index.js'
import { postgresStore } from '../../lib/store/postgres.js'
import { type Agent, inputValue, type Page } from '../support/agent.js'
import { assertion, withAssertion } from '../support/assertions.js'
import { pkjKey } from '../support/clients.js'
import { type Contents, postgresContents, sqliteContents } from '../support/contents.js'
import { fetch } from '../support/fetch.js'
import {
  authorizeUrl,
  basic,
  CHALLENGE,
  decide,
  destination,
  redirectUriOf,
  signedIn,
  VERIFIER,
} from '../support/flow.js'
import { type Host, startHost } from '../support/host.js'
import { startPostgres } from '../support/postgres.js'
import { postPar, requestParameters } from '../support/pushed.js'
import { type Damage, doDamage, remember } from './damage.js'
import { within } from './within.js'

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const TOO_LONG = 1000
const { d: _private, ...pkjPublicKey } = pkjKey
/** Something in most of what a client may have. */
const METADATA = {
  ...{
    client_uri: 'https://rp.example/',
    logo_uri: 'https://rp.example/logo.png',
    'client_name#de': 'Behalten',
  },
  ...{
    policy_uri: 'https://rp.example/policy',
    tos_uri: 'https://rp.example/tos',
    contacts: ['a@rp.example'],
  },
  ...{
    post_logout_redirect_uris: ['https://rp.example/out'],
    scope: 'openid profile read write',
  },
  ...{
    id_token_signed_response_alg: 'ES256',
    userinfo_signed_response_alg: 'EdDSA',
    access_token_lifetime: 600,
  },
  ...{
    software_id: 'x',
    software_version: '1',
    initiate_login_uri: 'https://rp.example/start',
    owner_id: 'alice',
  },
  ...{ application_type: 'web' as const, subject_type: 'public' as const, verified: true },
}

/** A host in whose store there is one of everything. */
export interface StoredTarget {
  /** Damages the store, asks for everything, mends the store, and throws where an answer is none that there may be. Whether the store took the damage. */
  judge(damage: Damage): Promise<boolean>
  close(): Promise<void>
}

interface Probe {
  readonly name: string
  readonly ask: () => Promise<{ readonly status: number; readonly text: string }>
  /** However a grant is damaged, it must not succeed. */
  readonly never?: true
}

interface Kept {
  readonly store: NonNullable<OAuthProviderOptions['store']>
  readonly contents: Contents
  close(): unknown
}

export async function startStored(open: () => Promise<Kept> = inMemory): Promise<StoredTarget> {
  const { store, contents, close } = await open()
  const host = await startHost({ provider: { store, admin: () => true } })
  // What a page cannot answer goes to the host.
  host.app.use(((_error, _req, res, _next) => {
    res.status(500).type('html').send('<!DOCTYPE html>')
  }) as ErrorRequestHandler)
  const probes = await probesOf(host)
  const restore = await remember(contents)
  return {
    async judge(damage) {
      await restore()
      const taken = await doDamage(contents, damage)
      const isLost = !damage.of.startsWith('grant') || (await isWithdrawalLost(contents))
      for (const probe of probes) if (!probe.never || !isLost) await judgeProbe(host, probe)
      return taken
    },
    async close() {
      await host.close()
      await close()
    },
  }
}

async function inMemory(): Promise<Kept> {
  const db = new Database(':memory:')
  return { store: db, contents: sqliteContents(db), close: () => db.close() }
}

/** On a server of its own. */
export async function inPostgres(): Promise<Kept> {
  const server = await startPostgres()
  const pool = new pg.Pool({ connectionString: await server.createDatabase() })
  return {
    store: postgresStore(pool),
    contents: postgresContents(pool),
    async close() {
      await pool.end()
      await server.stop()
    },
  }
}

/** Another list of scopes than there was is as good as any. */
async function isWithdrawalLost(contents: Contents): Promise<boolean> {
  const found = await contents.read('oauth_grants', 'withdrawn')
  return found.some(
    ({ text }) => /^\[\s*(?:"(?:[^"\\]|\\.)*"(?:,\s*|(?=\])))*\]$/.test(text) && !text.includes('"write"'),
  )
}

async function judgeProbe(host: Host, { name, ask, never }: Probe): Promise<void> {
  host.events.length = 0
  const from = performance.now()
  const { status, text } = await within(ask())
  // That a client or a grant is damaged is told, and fails nothing.
  const failures = host.events.filter(
    (event) => event.name === 'server.error' && event.event.endpoint !== 'store',
  )
  const [failure] = failures.map(({ event }) =>
    event.error instanceof Error ? event.error.stack : event.error,
  )
  const problem = () => {
    if (performance.now() - from > TOO_LONG) return 'no answer within a second'
    if (status >= 500) return `${status}`
    if (never && status < 400) return 'what has been withdrawn is back'
    return failures.length > 0 ? 'an event of a failure' : undefined
  }
  const found = problem()
  if (found !== undefined) throw new Error(`${name}: ${found}\n${text.slice(0, 500)}\n${failure}`)
}

async function probesOf(host: Host): Promise<readonly Probe[]> {
  const { client_id: client, client_secret = '' } = await host.oauth.clients.create({
    ...{ client_name: 'Kept', redirect_uris: [redirectUriOf('kept')] },
    grant_types: ['authorization_code', 'refresh_token', DEVICE_GRANT],
    ...METADATA,
  })
  const keyed = await host.oauth.clients.create({
    ...{ client_name: 'Keyed', redirect_uris: ['https://rp.example/cb', 'http://127.0.0.1/cb'] },
    ...{ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [pkjPublicKey] } },
    token_endpoint_auth_signing_alg: 'ES256',
  })
  const alice = await signedIn(host, 'alice')
  const post = async (
    path: string,
    form: Record<string, string>,
    authorization = basic(client, client_secret),
  ) => {
    const answer = await fetch(host.issuer + path, {
      ...{ method: 'POST', headers: { authorization }, body: new URLSearchParams(form) },
    })
    return { status: answer.status, text: await answer.text() }
  }
  const made = async (path: string, form: Record<string, string>) =>
    JSON.parse((await post(path, form)).text) as Record<string, string>
  const authorize = (params: Record<string, string> = {}) =>
    authorizeUrl(host, {
      client,
      params: { scope: 'openid read', claims: '{"userinfo":{"name":null}}', ...params },
    })
  const waiting = () => alice.follow(authorize({ prompt: 'consent' }))
  const codeOf = (page: Page) => destination(page).searchParams.get('code') ?? ''
  const newCode = async () => codeOf(await decide(alice, await waiting(), 'approve'))
  const redeem = {
    grant_type: 'authorization_code',
    redirect_uri: redirectUriOf('kept'),
    code_verifier: VERIFIER,
  }
  const pushByKey = () => {
    const proof = assertion(host, { client: keyed.client_id })
    const form = { client_id: keyed.client_id, ...withAssertion(proof) }
    return postPar(host, requestParameters(host, { client: keyed.client_id }), {
      proof: { headers: {}, form },
    })
  }
  const withAccess = async (path: string, access_token = '') => {
    const answer = await fetch(path, { headers: { authorization: `Bearer ${access_token}` } })
    return { status: answer.status, text: await answer.text() }
  }

  const wide = await alice.follow(authorize({ scope: 'openid read write' }))
  const { access_token: wider = '' } = await made('/token', {
    ...{ ...redeem, code: codeOf(await decide(alice, wide, 'approve')) },
  })
  await host.oauth.grants.withdraw({ userId: 'alice' }, ['write'])
  const tokens = await made('/token', { ...redeem, code: await newCode() })
  const { refresh_token = '' } = await made('/token', { ...redeem, code: await newCode() })
  const { refresh_token: next = '' } = await made('/token', { grant_type: 'refresh_token', refresh_token })
  const code = await newCode()
  const [page, decided] = [await waiting(), await waiting()]
  await decide(alice, decided, 'approve')
  const { request_uri = '' } = await made('/par', {
    ...Object.fromEntries(new URL(authorize({ prompt: 'consent' })).searchParams),
  })
  const pushedPage = await alice.follow(authorizeUrl(host, { client, params: { request_uri } }))
  const [device, approved] = [
    await made('/device_authorization', { scope: 'read' }),
    await made('/device_authorization', { scope: 'read' }),
  ]
  await decideDevice(host, alice, approved.user_code ?? '')
  const refresh = (refresh_token: string) => post('/token', { grant_type: 'refresh_token', refresh_token })
  const poll = (device_code = '') => post('/token', { grant_type: DEVICE_GRANT, device_code })
  const show = (path: string) => alice.get(host.issuer + path)
  const _csrf = inputValue(page, '_csrf')
  const press = (url: string, form: Record<string, string>) => alice.post(url, { _csrf, ...form })
  const { access_token = '' } = tokens
  /** What the host itself asks for. */
  const asHost = async (asked: () => Promise<unknown>) => {
    try {
      return { status: 200, text: JSON.stringify(await asked()) ?? '' }
    } catch (error) {
      return { status: 500, text: String(error) }
    }
  }
  // So that what has happened is in the audit log.
  await host.oauth.audit.list()
  return [
    { name: 'a withdrawn scope', ask: () => withAccess(`${host.origin}/api/write`, wider), never: true },
    { name: 'the API', ask: () => withAccess(`${host.origin}/api/read`, access_token) },
    { name: 'userinfo', ask: () => withAccess(`${host.issuer}/userinfo`, access_token) },
    { name: 'introspect access', ask: () => post('/introspect', { token: access_token }) },
    { name: 'introspect refresh', ask: () => post('/introspect', { token: next }) },
    { name: 'a lost answer', ask: () => refresh(refresh_token) },
    { name: 'refresh', ask: () => refresh(next) },
    {
      name: 'redeem with a wrong verifier',
      ask: () => post('/token', { ...redeem, code, code_verifier: CHALLENGE }),
    },
    { name: 'redeem', ask: () => post('/token', { ...redeem, code }) },
    { name: 'a wrong secret', ask: () => post('/revoke', { token: 'x' }, basic('conf', 'x')) },
    { name: 'consent', ask: () => alice.get(page.url) },
    { name: 'approve', ask: () => press(page.url, { decision: 'approve' }) },
    { name: 'approve again', ask: () => press(decided.url, { decision: 'approve' }) },
    {
      name: 'visit what was pushed',
      ask: () => alice.follow(authorizeUrl(host, { client, params: { request_uri } })),
    },
    { name: 'approve what was pushed', ask: () => press(pushedPage.url, { decision: 'approve' }) },
    { name: 'poll', ask: () => poll(device.device_code) },
    { name: 'show a device', ask: () => show(`/device/${device.user_code}`) },
    {
      name: 'approve a device',
      ask: () => press(`${host.issuer}/device`, { user_code: device.user_code ?? '', decision: 'approve' }),
    },
    { name: 'show a decided device', ask: () => show(`/device/${approved.user_code}`) },
    { name: 'poll for what was decided', ask: () => poll(approved.device_code) },
    { name: 'authorize', ask: () => alice.follow(authorize()) },
    { name: 'the applications of a user', ask: () => show('/authorized-applications') },
    { name: 'the pages of administrators', ask: () => show('/admin') },
    { name: 'a client there', ask: () => show(`/admin/client?id=${client}`) },
    { name: 'a user there', ask: () => show('/admin/user?id=alice') },
    {
      name: 'a withdrawn scope afterwards',
      ask: () => withAccess(`${host.origin}/api/write`, wider),
      never: true,
    },
    { name: 'push by key', ask: pushByKey },
    { name: 'the page of its client', ask: () => show(`/admin/client?id=${keyed.client_id}`) },
    { name: 'the page of administrators, searched', ask: () => show('/admin?q=ke') },
    {
      name: 'leave',
      ask: () => show(`/logout?client_id=${client}&post_logout_redirect_uri=https%3A%2F%2Frp.example%2Fout`),
    },
    {
      name: 'clients.update',
      ask: () => asHost(() => unlessUnknown(host.oauth.clients.update(keyed.client_id, { disabled: false }))),
    },
    {
      name: 'clients.rotateSecret',
      ask: () => asHost(() => unlessUnknown(host.oauth.clients.rotateSecret(client))),
    },
    { name: 'the audit log', ask: () => show('/admin/audit') },
    { name: 'audit.list', ask: () => asHost(() => host.oauth.audit.list({ userId: 'alice' })) },
    { name: 'clients.list', ask: () => asHost(() => host.oauth.clients.list()) },
    { name: 'clients.get', ask: () => asHost(() => host.oauth.clients.get(client)) },
    { name: 'grants.list', ask: () => asHost(() => host.oauth.grants.list()) },
    { name: 'revoke', ask: () => post('/revoke', { token: access_token }) },
    { name: 'grants.withdraw', ask: () => asHost(() => host.oauth.grants.withdraw({}, ['read'])) },
    { name: 'grants.revokeUser', ask: () => asHost(() => host.oauth.grants.revokeUser('alice')) },
    { name: 'clients.delete', ask: () => asHost(() => host.oauth.clients.delete(client)) },
  ]
}

/** What the host is told of a client that is unknown, or would be none that may be, is no failure. */
async function unlessUnknown(changing: Promise<unknown>): Promise<unknown> {
  return changing.catch((error) => {
    if (error instanceof OAuthError || /its revision is not that of its row/.test(String(error)))
      return error.message
    throw error
  })
}

async function decideDevice(host: Host, alice: Agent, user_code: string): Promise<void> {
  const page = await alice.get(`${host.issuer}/device/${user_code}`)
  const form = { _csrf: inputValue(page, '_csrf'), user_code, decision: 'approve' }
  await alice.post(`${host.issuer}/device`, form)
}
