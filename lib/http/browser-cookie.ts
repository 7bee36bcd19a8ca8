import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Settings } from '../settings.js'

type Where = Pick<Settings, 'mount' | 'secure'>

/** The cookies by which pending requests know the browser that began them: one, or several where its first requests came at once. */
export function readBrowserCookies(req: IncomingMessage, { secure }: Where): readonly string[] {
  const cookies = (req.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('=', 2))
  return cookies.flatMap(([name, value = '']) =>
    /^[A-Za-z0-9_-]{43}$/.test(value) && name === cookieName(value, secure) ? [value] : [],
  )
}

export function setBrowserCookie(res: ServerResponse, value: string, { mount, secure }: Where): void {
  res.appendHeader(
    'Set-Cookie',
    `${cookieName(value, secure)}=${value}; Path=${mount || '/'}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`,
  )
}

/**
 * Each cookie has a name of its own, or two tabs that are opened at once would overwrite each other's. The prefix makes browsers
 * refuse it from a network attacker who can only speak http (RFC 6265bis §4.1.3.1).
 */
function cookieName(value: string, secure: boolean): string {
  return `${secure ? '__Secure-' : ''}oauth_browser_${value.slice(0, 8)}`
}
