import { request } from 'node:http'
import type { Agent, Page } from './agent.js'
import type { Host } from './host.js'

/** What every page for a person must have, whatever it says (RFC 9700 §4.16). */
export function expectPageHeaders(page: Page): void {
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(page.headers.get('cache-control')).toBe('no-store')
  expect(page.headers.get('pragma')).toBe('no-cache')
  expect(page.headers.get('x-content-type-options')).toBe('nosniff')
  expect(page.headers.get('x-frame-options')).toBe('DENY')
  expect(page.headers.get('referrer-policy')).toBe('no-referrer')
  const policy = page.headers.get('content-security-policy') ?? ''
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toContain('form-action')
  expect(page.headers.get('access-control-allow-origin')).toBeNull()
}

/** PAGE of CHECKS: the error is shown to the person, and nothing leads to where the request wanted to go. */
export function expectErrorPage(page: Page, { status = 400, code = 'invalid_request' } = {}): void {
  expect({ status: page.status, location: page.location }).toEqual({ status, location: undefined })
  expectPageHeaders(page)
  expect(page.text).not.toMatch(/http-equiv="?refresh|<form|<script|<iframe/i)
  // The one link on the page may lead back to our own; what the request said is text.
  const links = [...page.text.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, url]) => url ?? '')
  const registered = page.text.includes('You have already answered') ? ['https://rp.example/'] : []
  const own = (url: string) => /^\/(?!\/)[\w/-]*consent\/[\w-]{64}$/.test(url)
  expect(links.filter((url) => !own(url) && !registered.includes(url))).toEqual([])
  expect(page.text).toContain(`<code><bdi>${code}</bdi></code>`)
}

/** REDIR of CHECKS: back to exactly this redirect URI, with every member once. */
export function expectErrorRedirect(
  host: Pick<Host, 'issuer'>,
  page: Page,
  error: string,
  {
    redirectUri = 'https://rp.example/cb',
    state = 'the-state',
  }: { readonly redirectUri?: string; readonly state?: string | null } = {},
): URLSearchParams {
  const members = expectRedirect(host, page, { redirectUri, state })
  expect(members.get('error')).toBe(error)
  expect(members.get('error_description')).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
  expect([...members.keys()].sort()).toEqual(
    ['error', 'error_description', 'iss', ...(state === null ? [] : ['state'])].sort(),
  )
  return members
}

/** A code came, and nothing else with it. */
export function expectCode(
  host: Pick<Host, 'issuer'>,
  page: Page,
  {
    redirectUri = 'https://rp.example/cb',
    state = 'the-state',
  }: { readonly redirectUri?: string; readonly state?: string | null } = {},
): string {
  const members = expectRedirect(host, page, { redirectUri, state })
  expect([...members.keys()].sort()).toEqual(['code', 'iss', ...(state === null ? [] : ['state'])].sort())
  const code = members.get('code') ?? ''
  expect(code).toMatch(/^[A-Za-z0-9_-]{43,}$/)
  return code
}

function expectRedirect(
  { issuer }: Pick<Host, 'issuer'>,
  page: Page,
  { redirectUri, state }: { readonly redirectUri: string; readonly state: string | null },
): URLSearchParams {
  expect({ status: page.status, location: page.headers.get('location') }).toEqual({
    status: 303,
    location: expect.stringMatching(/./),
  })
  expect(page.headers.get('cache-control')).toBe('no-store')
  expect(page.headers.get('referrer-policy')).toBe('no-referrer')
  const location = page.headers.get('location') ?? ''
  const before = `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}`
  expect(location.slice(0, before.length)).toBe(before)
  const added = location.slice(before.length)
  expect(added).not.toMatch(/[#\s]/)
  const members = new URLSearchParams(added)
  expect(members.get('iss')).toBe(issuer)
  expect(members.get('state')).toBe(state)
  return members
}

/** Asks with a request line that no client library has tidied up. The query is sent as it stands. */
export function getRaw(host: Pick<Host, 'origin'>, path: string, agent?: Agent): Promise<Page> {
  const { hostname, port } = new URL(host.origin)
  const cookie = agent && [...agent.cookies].map(([name, { value }]) => `${name}=${value}`).join('; ')
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, headers: cookie ? { cookie } : {} }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const headers = new Headers()
        for (const [name, value] of Object.entries(answer.headers))
          for (const item of [value].flat()) if (item !== undefined) headers.append(name, item)
        resolve({
          status: answer.statusCode ?? 0,
          headers,
          url: `${host.origin}${path}`,
          text: Buffer.concat(chunks).toString(),
          location: answer.headers.location,
        })
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Headers by which a request may claim to have come to another host. */
export const FORGED: Readonly<Record<string, string>> = {
  'x-forwarded-host': 'evil.example',
  'x-forwarded-proto': 'gopher',
  'x-forwarded-prefix': '/evil',
  forwarded: 'host=evil.example;proto=https',
  'x-original-url': '/evil',
}
