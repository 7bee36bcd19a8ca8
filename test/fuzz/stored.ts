import Database from 'better-sqlite3'
import type { ErrorRequestHandler } from 'express'
import { type Agent, inputValue, type Page } from '../support/agent.js'
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
import { type Damage, doDamage, remember } from './damage.js'
import { within } from './within.js'

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const TOO_LONG = 1000
/** What is damaged so that nobody can be asked anything: the host has to mend it, and is told. */
const NEEDED: readonly Damage['of'][] = ['client', 'grant access', 'grant claims']

/** A host in whose store there is one of everything. */
export interface StoredTarget {
  /** Damages the store, asks for everything, mends the store, and throws where an answer is none that there may be. */
  judge(damage: Damage): Promise<void>
  close(): Promise<void>
}

interface Probe {
  readonly name: string
  readonly ask: () => Promise<{ readonly status: number; readonly text: string }>
}

export async function startStored(): Promise<StoredTarget> {
  const db = new Database(':memory:')
  const host = await startHost({ provider: { store: db, admin: () => true } })
  // What a page cannot answer goes to the host.
  host.app.use(((_error, _req, res, _next) => {
    res.type('html').send('<!DOCTYPE html>')
  }) as ErrorRequestHandler)
  const probes = await probesOf(host)
  const restore = remember(db)
  return {
    async judge(damage) {
      restore()
      doDamage(db, damage)
      const mayFail = NEEDED.includes(damage.of)
      for (const probe of probes) await judgeProbe(host, probe, mayFail)
    },
    async close() {
      await host.close()
      db.close()
    },
  }
}

async function judgeProbe(host: Host, { name, ask }: Probe, mayFail: boolean): Promise<void> {
  host.events.length = 0
  const from = performance.now()
  const { status, text } = await within(ask())
  const failures = host.events.filter((event) => event.name === 'server.error')
  const [failure] = failures.map(({ event }) =>
    event.error instanceof Error ? event.error.stack : event.error,
  )
  const problem = () => {
    if (performance.now() - from > TOO_LONG) return 'no answer within a second'
    if (status >= 500 && !mayFail) return `${status}`
    if (status >= 500 && failures.length === 0) return `${status}, of which nobody was told`
    if (status >= 500 && !/"error":"(?:server_error|temporarily_unavailable)"|<!DOCTYPE html>/.test(text))
      return `${status} without a stated error`
    return failures.length > 0 && !mayFail ? 'an event of a failure' : undefined
  }
  const found = problem()
  if (found !== undefined) throw new Error(`${name}: ${found}\n${text.slice(0, 500)}\n${failure}`)
}

async function probesOf(host: Host): Promise<readonly Probe[]> {
  const { client_id: client, client_secret = '' } = await host.oauth.clients.create({
    ...{ client_name: 'Kept', redirect_uris: [redirectUriOf('kept')] },
    grant_types: ['authorization_code', 'refresh_token', DEVICE_GRANT],
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
  const withAccess = async (path: string, access_token = '') => {
    const answer = await fetch(path, { headers: { authorization: `Bearer ${access_token}` } })
    return { status: answer.status, text: await answer.text() }
  }

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
  return [
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
    { name: 'revoke', ask: () => post('/revoke', { token: access_token }) },
  ]
}

async function decideDevice(host: Host, alice: Agent, user_code: string): Promise<void> {
  const page = await alice.get(`${host.issuer}/device/${user_code}`)
  const form = { _csrf: inputValue(page, '_csrf'), user_code, decision: 'approve' }
  await alice.post(`${host.issuer}/device`, form)
}
