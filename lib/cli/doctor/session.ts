import { checkCookies } from './cookies.js'
import type { Examination } from './examination.js'
import { error, type Finding, ok } from './finding.js'
import { type Answer, isSilence, type Silence } from './probe.js'
import { unanswered } from './shown-page.js'

/** A session is for the app that is looked at, and for no other site that it sends the browser to. */
export function cookieFor(
  url: URL,
  { issuer }: Pick<Examination, 'issuer'>,
  cookie: string | undefined,
): Readonly<Record<string, string>> {
  return cookie && url.origin === new URL(issuer).origin ? { Cookie: cookie } : {}
}

/** A page of the provider for users, which needs a session as the consent page does, and no client. */
export async function checkSession(examination: Examination): Promise<readonly Finding[]> {
  const { options, issuer } = examination
  // Where a request is made, that is what the cookie is for.
  const alone = options.client === undefined && !options.register
  const cookie = alone ? options.cookie : undefined
  const answer = await pageForUsers(examination, cookie)
  const { url } = answer
  if (isSilence(answer)) return [unanswered('session', answer)]
  if (answer.status >= 500)
    return [
      error(
        'session',
        `${url} answers ${answer.status}: the page for users cannot be shown, and the consent page neither.`,
        'Mount your session middleware before the provider, app.use(session({ ... })), with a cookie whose path covers it. Where that is so, the event server.error, in the log of the app, says why.',
      ),
    ]
  if (answer.status === 200) return [ok('session', 'The browser with this cookie is signed in')]
  if (answer.status !== 303) return []
  return [
    cookie === undefined ? ok('session', 'The pages for users have a session') : unrecognised(new URL(url)),
    ...(alone ? checkCookies('session-cookie', answer, issuer) : []),
  ]
}

/** Whether the browser with the cookie is. */
export async function isSignedIn(examination: Examination): Promise<boolean> {
  const answer = await pageForUsers(examination, examination.options.cookie)
  return !isSilence(answer) && answer.status === 200
}

function pageForUsers(examination: Examination, cookie: string | undefined): Promise<Answer | Silence> {
  const url = new URL(`${examination.issuer}/authorized-applications`)
  return examination.probe.get(url.href, cookieFor(url, examination, cookie))
}

/** The cookie came, and nobody is signed in. */
export function unrecognised({ origin, pathname }: URL): Finding {
  return error(
    'session',
    `At ${origin}${pathname} nobody is signed in with the cookie of OAUTH_DOCTOR_COOKIE, so nobody can approve there.`,
    "Copy it whole, from a request that the browser made after signing in. If it is that: mount the session before the provider; behind a proxy that ends TLS, app.set('trust proxy', 1), or a Secure cookie is never set; let currentUser read what your login writes (default: req.user.id, req.session.userId, req.session.user.id), and findUser find that id, which is a string. What the provider sees of it is in the log of the app, as a warning.",
  )
}
