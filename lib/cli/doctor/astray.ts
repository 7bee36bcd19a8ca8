import { PROGRAM } from '../command.js'
import { error, type Finding } from './finding.js'
import { type Answer, isDocument, isSilence, type Probe, type Silence } from './probe.js'

/** What to do where a login is wanted of clients. */
export const WALL =
  'That looks like a login wall. Mount the provider, app.use(oauth.wellKnown) and your API before it: clients have no session of yours, and the provider sends browsers to the login by itself.'

/** Why there may be nobody at the URL that the doctor was asked about. */
export function unreachable(issuer: string, { url, failure, message }: Silence): Finding {
  const cure = {
    refused: 'Start the app, or write the port that it listens on.',
    timeout: 'Look at whether something in the app swallows the request without an answer.',
    certificate:
      'Clients will refuse it too: use a certificate that is valid for this name, sent with its chain.',
    name: 'Write the name under which browsers reach the app.',
    plain: `Write ${issuer.replace(/^https:/i, 'http:')} if that is your app, started without TLS.`,
    other: 'Write the URL under which browsers reach the app, with http or https as it is.',
  }[failure]
  return error('reachable', `${url} cannot be reached: ${message}.`, cure)
}

/** Somebody answers, and not with metadata. */
export async function nowhere(
  probe: Probe,
  issuer: string,
  answers: readonly (Answer | Silence)[],
): Promise<Finding> {
  const named = await namedByApi(probe, issuer)
  if (named !== undefined) return askAbout(issuer, named)
  const heard = answers.filter((answer): answer is Answer => !isSilence(answer))
  const wall = heard.find(isLoginWall)
  if (wall !== undefined) return error('discovery', `${wall.url} ${saidInstead(wall)}.`, WALL)
  const redirect = heard.find(isRedirect)
  if (redirect !== undefined)
    return error(
      'discovery',
      `${redirect.url} ${saidInstead(redirect)}.`,
      'Clients follow no redirect there: let the host answer at the issuer itself, and name that with which browsers reach it.',
    )
  const [first] = heard
  return error(
    'discovery',
    `There is no metadata at ${issuer}${first === undefined ? '' : `: ${first.url} ${saidInstead(first)}`}.`,
    `Give the doctor the issuer, with its path (https://host/oauth), and mount the router there, before anything that answers all paths; behind a proxy, let it pass this path.`,
  )
}

/** There is metadata, of another issuer: the question is wrong, or the option. */
export async function otherIssuer(probe: Probe, issuer: string, named: string): Promise<Finding> {
  const differs = (cure: string) =>
    error('issuer', `The metadata at ${issuer} names the issuer ${named}.`, cure)
  if (!URL.canParse(named)) return differs('Set the option issuer to the public URL of the mount.')
  const [asked, said] = [new URL(issuer), new URL(named)]
  if (asked.host !== said.host)
    return differs(
      'Set the option issuer to the URL that browsers see, or ask the doctor about that one. It is never taken from the header Host.',
    )
  if (asked.protocol !== said.protocol)
    return differs(
      said.protocol === 'https:'
        ? `Ask about that one: ${PROGRAM} doctor ${named}. If there is no https, set the option issuer to ${issuer}.`
        : `Set the option issuer to ${issuer}: behind a proxy that ends TLS it is still the URL that browsers see.`,
    )
  if (named.replace(/\/+$/, '') === issuer)
    return differs('Take the slash at its end away: clients compare byte for byte.')
  if (await isAt(probe, named)) return askAbout(issuer, named)
  return differs(
    `Set the option issuer to ${issuer}, if the router shall stay where it is, or mount it at the other: app.use('${said.pathname}', oauth).`,
  )
}

/** A redirect that keeps the path is about the host or the scheme. What answers everybody with another page, or with 401, wants a login. */
export function isLoginWall(answer: Answer | Silence): boolean {
  if (isSilence(answer)) return false
  if (answer.status === 401 || answer.status === 403) return true
  const location = answer.headers.get('location') ?? ''
  if (!isRedirect(answer) || !URL.canParse(location, answer.url)) return false
  const path = (url: URL) => url.pathname.replace(/\/+$/, '')
  return path(new URL(location, answer.url)) !== path(new URL(answer.url))
}

export function saidInstead(answer: Answer | Silence): string {
  if (isSilence(answer)) return `does not answer: ${answer.message}`
  if (isRedirect(answer)) return `redirects to ${answer.headers.get('location')}`
  if (answer.status !== 200) return `answers ${answer.status}`
  return answer.json === undefined ? 'is not JSON' : 'has no issuer in it'
}

function askAbout(issuer: string, named: string): Finding {
  return error(
    'issuer',
    `You asked about ${issuer}; the issuer is ${named}.`,
    `Run: ${PROGRAM} doctor ${named}`,
  )
}

/** The issuer that the metadata of the API name (RFC 9728), which lie at the root. */
async function namedByApi(probe: Probe, issuer: string): Promise<string | undefined> {
  const { origin } = new URL(issuer)
  const answer = await probe.get(`${origin}/.well-known/oauth-protected-resource`)
  const servers = isSilence(answer) ? undefined : answer.json?.authorization_servers
  const [named]: readonly unknown[] = Array.isArray(servers) ? servers : []
  if (typeof named !== 'string' || named === issuer || !URL.canParse(named)) return undefined
  return new URL(named).origin !== origin || (await isAt(probe, named)) ? named : undefined
}

async function isAt(probe: Probe, issuer: string): Promise<boolean> {
  const answer = await probe.get(`${issuer}/.well-known/oauth-authorization-server`)
  return isDocument(answer) && answer.json?.issuer === issuer
}

function isRedirect(answer: Answer): boolean {
  return answer.status >= 300 && answer.status < 400
}
