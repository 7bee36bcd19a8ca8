import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Settings } from '../settings.js'

type Where = Pick<Settings, 'mount' | 'secure'>

/** The cookie by which a pending request knows the browser that began it. */
export function readBrowserCookie(req: IncomingMessage, where: Where): string | undefined {
  const name = cookieName(where)
  for (const pair of req.headers.cookie?.split(';') ?? []) {
    const [key, value] = pair.trim().split('=', 2)
    if (key === name && value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value)) return value
  }
  return undefined
}

export function setBrowserCookie(res: ServerResponse, value: string, where: Where): void {
  const secure = where.secure ? '; Secure' : ''
  res.appendHeader(
    'Set-Cookie',
    `${cookieName(where)}=${value}; Path=${where.mount || '/'}; HttpOnly; SameSite=Lax${secure}`,
  )
}

/** The prefix makes browsers refuse the cookie from a network attacker who can only speak http (RFC 6265bis §4.1.3.1). */
function cookieName({ secure }: Where): string {
  return secure ? '__Secure-oauth_browser' : 'oauth_browser'
}
