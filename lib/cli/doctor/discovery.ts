import { error, type Finding, ok, warning } from './finding.js'
import { type Answer, isSilence, type Probe, type Silence } from './probe.js'

/** A place of the metadata, and what makes it be there. */
interface Place {
  readonly url: string
  readonly cure: string
}

export interface Discovered {
  readonly document: Answer
  readonly metadata: Readonly<Record<string, unknown>>
}

/** RFC 8414 §3.1 and §5, OpenID Connect Discovery §4: where clients look, in whichever order. */
export async function discover(
  probe: Probe,
  issuer: string,
): Promise<{ readonly findings: readonly Finding[]; readonly found: Discovered | undefined }> {
  const places = placesOf(issuer)
  const answers = await Promise.all(places.map(({ url }) => probe.get(url)))
  const [silent] = answers.filter(isSilence)
  if (silent !== undefined && answers.every(isSilence))
    return { findings: [unreachable(silent)], found: undefined }
  const documents = answers.filter(isDocument)
  const [document] = documents
  if (document === undefined) return { findings: [nowhere(issuer, answers)], found: undefined }
  const findings = places.map(({ url, cure }, index) => {
    const answer = answers[index] as Answer | Silence
    if (!isDocument(answer)) return error('discovery', `${url} ${saidInstead(answer)}.`, cure)
    if (answer.text !== document.text)
      return error('discovery', `${url} is another document than ${document.url}.`, 'Serve one and the same.')
    return ok('discovery', `The metadata is at ${url}`)
  })
  return { findings, found: { document, metadata: document.json ?? {} } }
}

function placesOf(issuer: string): readonly Place[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname === '/' ? '' : pathname
  const mounted = `Mount the router at the path of the issuer: app.use('${path || '/'}', oauth).`
  const rooted =
    'Serve the documents of the root: app.use(oauth.wellKnown), before anything that answers all paths.'
  const names = ['oauth-authorization-server', 'openid-configuration']
  const all = [
    ...names.map((name) => ({ url: `${issuer}/.well-known/${name}`, cure: mounted })),
    ...names.map((name) => ({ url: `${origin}/.well-known/${name}${path}`, cure: rooted })),
  ]
  return all.filter(({ url }, index) => all.findIndex((other) => other.url === url) === index)
}

function isDocument(answer: Answer | Silence): answer is Answer {
  return !isSilence(answer) && answer.status === 200 && typeof answer.json?.issuer === 'string'
}

function saidInstead(answer: Answer | Silence): string {
  if (isSilence(answer)) return `does not answer: ${answer.message}`
  if (answer.status !== 200) return `answers ${answer.status}`
  return answer.json === undefined ? 'is not JSON' : 'has no issuer in it'
}

function unreachable({ url, failure, message }: Silence): Finding {
  const cure = {
    refused: 'Start the app, or write the port that it listens on.',
    timeout: 'Look at whether something in the app swallows the request without an answer.',
    certificate:
      'Clients will refuse it too: use a certificate that is valid for this name, sent with its chain.',
    name: 'Write the name under which browsers reach the app.',
    other: 'Write the URL under which browsers reach the app, with http or https as it is.',
  }[failure]
  return error('reachable', `${url} cannot be reached: ${message}.`, cure)
}

function nowhere(issuer: string, answers: readonly (Answer | Silence)[]): Finding {
  const redirect = answers.find((answer) => !isSilence(answer) && answer.status >= 300 && answer.status < 400)
  if (redirect !== undefined)
    return error(
      'discovery',
      `${redirect.url} redirects to ${(redirect as Answer).headers.get('location')}.`,
      'Clients follow no redirect there: let the host answer at the issuer itself, and name that with which browsers reach it.',
    )
  return error(
    'discovery',
    `There is no metadata at ${issuer}.`,
    `Give the doctor the issuer, with its path (https://host/oauth), and mount the router there; above it stands no login wall.`,
  )
}

/** What has to hold for the metadata whatever else it says. */
export function checkIssuer(issuer: string, { metadata, document }: Discovered): readonly Finding[] {
  const said = String(metadata.issuer)
  const findings = [
    said === issuer
      ? ok('issuer', `The issuer is ${issuer}, byte for byte`)
      : error('issuer', `The metadata at ${issuer} names the issuer ${said}.`, differs(issuer, said)),
  ]
  const { protocol, hostname } = new URL(issuer)
  if (protocol !== 'https:' && !isHere(hostname))
    findings.push(
      error('https', `${issuer} is http.`, 'Everybody on the way reads the codes and tokens: use https.'),
    )
  if (!/^application\/json\b/i.test(document.headers.get('content-type') ?? ''))
    findings.push(
      warning('discovery', 'The metadata is not application/json.', 'Let nothing rewrite its headers.'),
    )
  return findings
}

function differs(issuer: string, said: string): string {
  if (!URL.canParse(said)) return 'Set the option issuer to the public URL of the mount.'
  const [asked, named] = [new URL(issuer), new URL(said)]
  if (asked.protocol !== named.protocol && asked.host === named.host)
    return `Set the option issuer to ${issuer}: behind a proxy that ends TLS it is still the URL that browsers see.`
  if (asked.host !== named.host)
    return 'Set the option issuer to the URL that browsers see, or ask the doctor about that one. It is never taken from the header Host.'
  if (said.replace(/\/+$/, '') === issuer)
    return 'Take the slash at its end away: clients compare byte for byte.'
  return 'Set the option issuer to the path at which the router is mounted, or mount it there.'
}

function isHere(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'
}
