import { checkCookies } from './cookies.js'
import type { Examination, TryOut } from './examination.js'
import { either, error, type Finding, ok, warning } from './finding.js'
import { type Answer, isSilence } from './probe.js'
import { cookieFor, isSignedIn, unrecognised } from './session.js'
import { checkPolicy, titleOf, unanswered } from './shown-page.js'

/** Where the browser came: the consent page where it is signed in, the host's login where not. */
export async function arrival(
  examination: Examination,
  target: URL,
  { clientId, redirectUri }: TryOut,
  begun: Answer,
): Promise<readonly Finding[]> {
  const { probe, options, issuer } = examination
  if (target.href.startsWith(`${redirectUri}?`))
    return [
      either(
        target.searchParams.has('code'),
        ok('authorize', 'The request is answered without a page'),
        error(
          'authorize',
          `The request is refused: ${target.searchParams.get('error')}, ${target.searchParams.get('error_description')}`,
          'The description says what is wrong with the request or the client.',
        ),
      ),
    ]
  const set = begun.headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0] as string)
  const cookies = [...(options.cookie === undefined ? [] : [options.cookie]), ...set].join('; ')
  const answer = await probe.get(target.href, cookieFor(target, { issuer }, cookies))
  if (isSilence(answer)) return [unanswered('login', answer)]
  if (target.href.startsWith(`${issuer}/consent/`)) return consent(answer, begun)
  return [
    ...(options.cookie === undefined ? [] : [await atLogin(examination, clientId, begun)]),
    either(
      answer.status === 200,
      ok('login', `Whoever is not signed in comes to ${target.origin}${target.pathname}`),
      error(
        'login',
        `The login page ${target.origin}${target.pathname} answers ${answer.status}.`,
        'Set the option loginUrl to the path of your login page.',
      ),
    ),
    ...(answer.status === 200 ? checkLogin(answer, issuer) : []),
  ]
}

/** Why a browser that should be signed in comes to the login. */
async function atLogin(examination: Examination, clientId: string, begun: Answer): Promise<Finding> {
  if (!(await isSignedIn(examination))) return unrecognised(new URL(begun.url))
  return warning(
    'login',
    `The browser is signed in, and a request of the client ${clientId} comes to the login all the same.`,
    'A client with default_max_age is sent there until the option authTime says when the user signed in.',
  )
}

function consent(answer: Answer, begun: Answer): readonly Finding[] {
  if (answer.status === 303) return [unrecognised(new URL(begun.url))]
  const complete = answer.status === 200 && /name="_csrf" value="[^"]+"/.test(answer.text)
  return [
    either(
      complete,
      ok('consent', 'The consent page is shown, with its form'),
      error(
        'consent',
        `The consent page answers ${answer.status}: ${titleOf(answer) ?? 'no page'}`,
        'Mount express-session before the provider, with a cookie whose path covers it.',
      ),
    ),
    ...checkPolicy(answer),
  ]
}

/** The page of the host's own whose form leads back into the request. */
function checkLogin(answer: Answer, issuer: string): readonly Finding[] {
  const opener = answer.headers.get('cross-origin-opener-policy')
  return [
    ...checkCookies('session-cookie', answer, issuer),
    ...(opener === null || opener === 'unsafe-none' || opener === 'same-origin-allow-popups'
      ? []
      : [
          warning(
            'login',
            `The login page has Cross-Origin-Opener-Policy: ${opener}.`,
            "Clients that open the login in a window lose it: helmet({ crossOriginOpenerPolicy: { policy: 'unsafe-none' } }) for the login page.",
          ),
        ]),
  ]
}
