import { isLoginWall, nowhere, otherIssuer, saidInstead, unreachable, WALL } from './astray.js'
import { error, type Finding, ok, warning } from './finding.js'
import { type Answer, isDocument, isSilence, type Probe, type Silence } from './probe.js'

/** How many of the places are below the mount: the first ones. */
const MOUNTED = 2

/** A place of the metadata, and what makes it be there. */
interface Place {
  readonly url: string
  readonly cure: string
}

export interface Discovered {
  readonly document: Answer
  readonly metadata: Readonly<Record<string, unknown>>
}

/** RFC 8414 §3.1 and §5, OpenID Connect Discovery §4: where clients look, in whichever order. Where nothing is found, the findings say why. */
export async function discover(
  probe: Probe,
  issuer: string,
): Promise<{ readonly findings: readonly Finding[]; readonly found: Discovered | undefined }> {
  const places = placesOf(issuer)
  const answers = await Promise.all(places.map(({ url }) => probe.get(url)))
  const only = (finding: Finding) => ({ findings: [finding], found: undefined })
  const [silent] = answers.filter(isSilence)
  if (silent !== undefined && answers.every(isSilence)) return only(unreachable(issuer, silent))
  const [document] = answers.filter(isDocument)
  if (document === undefined) return only(await nowhere(probe, issuer, answers))
  const named = String(document.json?.issuer)
  // What hangs on the issuer and the mount is wrong with them, and says nothing more.
  if (named !== issuer) return only(await otherIssuer(probe, issuer, named))
  const findings = places.map((place, index) => atPlace(place, answers[index] as Answer, document))
  const [mounted] = findings
  if (mounted?.level === 'error' && !answers.slice(0, MOUNTED).some(isDocument)) return only(mounted)
  return { findings, found: { document, metadata: document.json ?? {} } }
}

function atPlace({ url, cure }: Place, answer: Answer | Silence, document: Answer): Finding {
  if (!isDocument(answer))
    return error('discovery', `${url} ${saidInstead(answer)}.`, isLoginWall(answer) ? WALL : cure)
  if (answer.text !== document.text)
    return error('discovery', `${url} is another document than ${document.url}.`, 'Serve one and the same.')
  return ok('discovery', `The metadata is at ${url}`)
}

function placesOf(issuer: string): readonly Place[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname === '/' ? '' : pathname
  const mounted = `Mount the router at the path of the issuer: app.use('${path || '/'}', oauth). Behind a proxy, let it pass this path; if it strips the path, mount the router at what is left.`
  const rooted =
    'Serve the documents of the root: app.use(oauth.wellKnown), before anything that answers all paths; or let the proxy pass this path.'
  const names = ['oauth-authorization-server', 'openid-configuration']
  const all = [
    ...names.map((name) => ({ url: `${issuer}/.well-known/${name}`, cure: mounted })),
    ...names.map((name) => ({ url: `${origin}/.well-known/${name}${path}`, cure: rooted })),
  ]
  return all.filter(({ url }, index) => all.findIndex((other) => other.url === url) === index)
}

/** What has to hold where the metadata is the right one. */
export function checkIssuer(issuer: string, { document }: Discovered): readonly Finding[] {
  const findings = [ok('issuer', `The issuer is ${issuer}, byte for byte`)]
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

function isHere(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'
}
