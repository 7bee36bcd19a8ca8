import { createHash, randomBytes } from 'node:crypto'
import { arrival } from './arrival.js'
import { checkCookies } from './cookies.js'
import { type Examination, type TryOut, text } from './examination.js'
import { either, error, type Finding, ok, warning } from './finding.js'
import { type Answer, isSilence, type Silence } from './probe.js'
import { cookieFor } from './session.js'
import { checkPolicy, titleOf, unanswered } from './shown-page.js'

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
  if (isSilence(answer)) return [unanswered('authorize', answer)]
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

/** Begins an authorization request as a browser would, and follows it to the login, or with a cookie to the consent page. */
export async function checkRequest(
  examination: Examination,
  endpoint: string,
  client: TryOut,
): Promise<readonly Finding[]> {
  const answer = await begin(examination, endpoint, client, true)
  if (isSilence(answer)) return [unanswered('authorize', answer)]
  const location = answer.headers.get('location') ?? ''
  if (answer.status !== 302 && answer.status !== 303) return [refusedAtOnce(answer, endpoint, client)]
  if (!URL.canParse(location, answer.url))
    return [
      error(
        'authorize',
        `A request of the client ${client.clientId} is sent to '${location}', which is no URL.`,
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

function refusedAtOnce(answer: Answer, endpoint: string, { clientId }: TryOut): Finding {
  const title = titleOf(answer)
  return title === undefined
    ? error(
        'authorize',
        `${endpoint} answers ${answer.status} to a request of the client ${clientId}, and shows no page.`,
        'It is no answer of the provider: let nothing else answer there.',
      )
    : error(
        'authorize',
        `A request of the client ${clientId} gets ${answer.status}: ${title}`,
        'The page in a browser says what is wrong with the client or its redirect URI.',
      )
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

function challenge(): string {
  return createHash('sha256').update(randomBytes(32).toString('base64url')).digest('base64url')
}

/** A wrong request goes back to the client with an error, or, of a client that came by itself, to a page. One that is taken goes on to the login. */
function refusesWithoutPkce(answer: Answer | Silence, { clientId, redirectUri }: TryOut): Finding {
  if (isSilence(answer)) return unanswered('pkce', answer)
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

function isHtml({ headers }: Answer): boolean {
  return /^text\/html\b/i.test(headers.get('content-type') ?? '')
}
