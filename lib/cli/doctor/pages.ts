import { createHash, randomBytes } from 'node:crypto'
import { checkCookies } from './cookies.js'
import { type Examination, text } from './examination.js'
import { either, error, type Finding, ok, warning } from './finding.js'
import { type Answer, isSilence, type Silence } from './probe.js'

const OWN_HEADERS =
  'The provider sets the headers of its pages itself: let no middleware or proxy behind it change them.'

/** A client with which a whole request can be made. */
export interface TryOut {
  readonly clientId: string
  readonly redirectUri: string
}

/** The page that a wrong request gets, which has the headers of every page. */
export async function checkErrorPage(examination: Examination): Promise<readonly Finding[]> {
  const url = text(examination, 'authorization_endpoint')
  if (url === undefined)
    return [
      error(
        'authorize',
        'The metadata names no authorization_endpoint.',
        'Serve the metadata as the provider makes it.',
      ),
    ]
  const answer = await examination.probe.get(url)
  if (isSilence(answer)) return [error('authorize', `${url}: ${answer.message}.`, 'Let browsers reach it.')]
  if (answer.status >= 300 && answer.status < 400)
    return [
      error(
        'authorize',
        `${url} redirects to ${answer.headers.get('location')} whoever asks.`,
        'Take the routes of the provider out of the login wall: it sends browsers to the login by itself, and back.',
      ),
    ]
  return [
    either(
      answer.status === 400 && isHtml(answer),
      ok('authorize', 'A request without a client is shown a page'),
      error(
        'authorize',
        `${url} answers ${answer.status} to a request without a client.`,
        'It should be a page with 400: let nothing answer before the provider.',
      ),
    ),
    ...checkPolicy(answer),
  ]
}

/** Headers that keep a page from frames and caches, and let the form on it lead back to the client. */
function checkPolicy({ url, headers }: Answer): readonly Finding[] {
  const policy = headers.get('content-security-policy') ?? ''
  const framed = /frame-ancestors 'none'/.test(policy) || headers.get('x-frame-options') === 'DENY'
  return [
    either(
      !/form-action/.test(policy),
      ok('csp', 'No form-action keeps the consent form from leading back to the client'),
      error(
        'csp',
        `The pages at ${url} have a Content-Security-Policy with form-action.`,
        `Browsers apply it to the redirect after the form, and approving does nothing. ${OWN_HEADERS}`,
      ),
    ),
    either(
      framed,
      ok('csp', 'The pages can be in no frame'),
      error('csp', `The pages at ${url} can be shown in a frame.`, OWN_HEADERS),
    ),
    either(
      /no-store/.test(headers.get('cache-control') ?? ''),
      ok('cache', 'The pages are kept by no cache'),
      error(
        'cache',
        `The pages at ${url} may be kept by caches.`,
        'Take the routes of the provider out of the CDN.',
      ),
    ),
  ]
}

/** Begins an authorization request as a browser would, and follows it to the login, or with a cookie to the consent page. */
export async function checkRequest(
  examination: Examination,
  endpoint: string,
  client: TryOut,
): Promise<readonly Finding[]> {
  const answer = await begin(examination, endpoint, client, true)
  if (isSilence(answer)) return [error('authorize', answer.message, 'Let browsers reach it.')]
  const location = answer.headers.get('location') ?? ''
  if (answer.status !== 302 && answer.status !== 303)
    return [
      error(
        'authorize',
        `A request of ${client.clientId} gets ${answer.status}: ${titleOf(answer)}`,
        'The page in a browser says what is wrong with the client or its redirect URI.',
      ),
    ]
  if (!URL.canParse(location, answer.url))
    return [
      error(
        'authorize',
        `A request of ${client.clientId} is sent to '${location}', which is no URL.`,
        'Give the option loginUrl a path, or a function that makes a URL.',
      ),
    ]
  const target = new URL(location, answer.url)
  const withoutPkce = await begin(examination, endpoint, client, false)
  return [
    ...checkCookies('browser-cookie', answer, examination.issuer),
    refusesWithoutPkce(withoutPkce, client),
    ...(await arrival(examination, target, client, answer)),
  ]
}

function begin(
  examination: Examination,
  endpoint: string,
  { clientId, redirectUri }: TryOut,
  withPkce: boolean,
): Promise<Answer | Silence> {
  const query = new URLSearchParams({
    ...{ response_type: 'code', client_id: clientId, redirect_uri: redirectUri, state: 'doctor' },
    ...(withPkce && { code_challenge: challenge(), code_challenge_method: 'S256' }),
  })
  const url = new URL(endpoint)
  for (const [name, value] of query) url.searchParams.set(name, value)
  const { probe, options } = examination
  return probe.get(url.href, cookieFor(url, examination, options.cookie))
}

/** A session is for the app that is looked at, and for no other site that it sends the browser to. */
function cookieFor(
  url: URL,
  { issuer }: Pick<Examination, 'issuer'>,
  cookie: string | undefined,
): Readonly<Record<string, string>> {
  return cookie && url.origin === new URL(issuer).origin ? { Cookie: cookie } : {}
}

function challenge(): string {
  return createHash('sha256').update(randomBytes(32).toString('base64url')).digest('base64url')
}

/** A wrong request goes back to the client with an error, or, of a client that came by itself, to a page. One that is taken goes on to the login. */
function refusesWithoutPkce(answer: Answer | Silence, { clientId, redirectUri }: TryOut): Finding {
  if (isSilence(answer)) return error('pkce', answer.message, 'Let browsers reach it.')
  const location = answer.headers.get('location')
  if (location === null || /[?&#]error=/.test(location))
    return ok('pkce', 'A request without PKCE gets no code')
  if (location.startsWith(redirectUri))
    return error(
      'pkce',
      'A request without PKCE is let through.',
      'Set require_pkce to true for this client.',
    )
  return warning(
    'pkce',
    `PKCE is not demanded of ${clientId}.`,
    'That is meant for a client with a secret that cannot do it and has require_pkce false; all others have to: set it to true.',
  )
}

/** Where the browser came: the consent page where it is signed in, the host's login where not. */
async function arrival(
  { probe, options, issuer }: Examination,
  target: URL,
  { redirectUri }: TryOut,
  begun: Answer,
): Promise<readonly Finding[]> {
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
  if (isSilence(answer))
    return [error('login', `${target.href}: ${answer.message}.`, 'Let browsers reach it.')]
  if (target.href.startsWith(`${issuer}/consent/`)) return consent(answer)
  return [
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

function consent(answer: Answer): readonly Finding[] {
  if (answer.status === 303)
    return [
      warning(
        'consent',
        'The cookie is of nobody who is signed in.',
        'Copy the header Cookie of a request of your browser after signing in.',
      ),
    ]
  const complete = answer.status === 200 && /name="_csrf" value="[^"]+"/.test(answer.text)
  return [
    either(
      complete,
      ok('consent', 'The consent page is shown, with its form'),
      error(
        'consent',
        `The consent page answers ${answer.status}: ${titleOf(answer)}`,
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

function isHtml({ headers }: Answer): boolean {
  return /^text\/html\b/i.test(headers.get('content-type') ?? '')
}

function titleOf({ text: html }: Answer): string {
  return /<h1[^>]*>([^<]*)/.exec(html)?.[1]?.trim() ?? 'no page'
}
