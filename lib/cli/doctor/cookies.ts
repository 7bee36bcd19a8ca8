import { type Finding, ok, warning } from './finding.js'
import type { Answer } from './probe.js'

export function checkCookies(check: string, { headers }: Answer, issuer: string): readonly Finding[] {
  const secure = new URL(issuer).protocol === 'https:'
  return headers.getSetCookie().map((cookie) => {
    const [pair = '', ...attributes] = cookie.split(';').map((part) => part.trim())
    const name = pair.split('=', 1)[0] as string
    const has = (wanted: string) => attributes.some((one) => one.toLowerCase() === wanted)
    const sameSite = attributes.find((one) => /^samesite=/i.test(one))?.slice('samesite='.length)
    const missing = [
      ...(has('httponly') ? [] : ['HttpOnly']),
      ...(!secure || has('secure') ? [] : ['Secure']),
      ...(sameSite === undefined ? ['SameSite=Lax'] : []),
    ]
    if (sameSite?.toLowerCase() === 'none')
      return warning(
        check,
        `The cookie ${name} is SameSite=None.`,
        'Lax is enough for the login, and other sites cannot send it then.',
      )
    if (sameSite?.toLowerCase() === 'strict')
      return warning(
        check,
        `The cookie ${name} is SameSite=Strict.`,
        "If it is that of your session, users who are signed in have to sign in again whenever a client sends them: browsers leave it out then. Let it be 'lax'.",
      )
    if (missing.length > 0)
      return warning(
        check,
        `The cookie ${name} lacks ${missing.join(', ')}.`,
        `Set it where the cookie is made: cookie: { httpOnly: true, sameSite: 'lax'${secure ? ', secure: true' : ''} }; behind a proxy that ends TLS, app.set('trust proxy', 1).`,
      )
    return ok(check, `The cookie ${name} has what it needs`)
  })
}
