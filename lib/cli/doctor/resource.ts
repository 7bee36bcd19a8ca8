import type { Examination } from './examination.js'
import { either, error, type Finding, ok } from './finding.js'
import { isSilence } from './probe.js'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'
const ROOT = 'Serve the documents of the root: app.use(oauth.wellKnown); or let the proxy pass this path.'

/** What a client without a token learns at the API: where its metadata are, and who issues tokens for it (RFC 9728). */
export async function checkResource(examination: Examination): Promise<readonly Finding[]> {
  const { resource } = examination.options
  const { origin } = new URL(examination.issuer)
  if (resource === undefined) return checkDocument(examination, `${origin}${WELL_KNOWN}`, origin)
  const answer = await examination.probe.get(resource)
  if (isSilence(answer))
    return [
      error(
        'resource',
        `${resource}: ${answer.message}.`,
        'Write the URL of a route that requireToken guards.',
      ),
    ]
  const challenge = answer.headers.get('www-authenticate') ?? ''
  const [, document] = /resource_metadata="([^"]*)"/.exec(challenge) ?? []
  if (answer.status !== 401 || document === undefined)
    return [
      error(
        'resource',
        `${resource} answers ${answer.status}${challenge === '' ? '' : ` with ${challenge}`} to a request without a token.`,
        'Guard it with oauth.requireToken, before anything else that answers.',
      ),
    ]
  return [
    ok('resource', `${resource} sends clients without a token to ${document}`),
    ...(await checkDocument(examination, document, resource)),
  ]
}

async function checkDocument(
  { probe, issuer }: Examination,
  url: string,
  resource: string,
): Promise<readonly Finding[]> {
  const answer = await probe.get(url)
  if (isSilence(answer) || answer.status !== 200 || answer.json === undefined)
    return [error('resource', `There is no metadata of the API at ${url}.`, ROOT)]
  const { json } = answer
  const servers = Array.isArray(json.authorization_servers) ? json.authorization_servers : []
  return [
    either(
      json.resource === resource,
      ok('resource', `The metadata at ${url} are about ${resource}`),
      error(
        'resource',
        `The metadata at ${url} are about ${String(json.resource)}, not ${resource}.`,
        'Clients compare the two: add the URL to the option resources, or ask about it without a query.',
      ),
    ),
    either(
      servers.includes(issuer),
      ok('resource', 'They name the issuer'),
      error(
        'resource',
        `They name ${servers.join(', ') || 'no issuer'}, not ${issuer}.`,
        'Set the option issuer to the URL that clients see.',
      ),
    ),
  ]
}
