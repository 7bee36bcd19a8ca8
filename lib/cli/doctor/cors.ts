import { type Examination, text } from './examination.js'
import { error, type Finding, ok } from './finding.js'
import { type Answer, isSilence, type Silence } from './probe.js'

const ORIGIN = 'https://client.example'
/** Endpoints that a client in a browser calls, by member of the metadata, with the method and the header that it asks for. */
const CALLED: readonly (readonly [member: string, method: string, header: string])[] = [
  ['token_endpoint', 'POST', 'content-type'],
  ['userinfo_endpoint', 'GET', 'authorization'],
  ['revocation_endpoint', 'POST', 'content-type'],
  ['registration_endpoint', 'POST', 'content-type'],
]
const CURE = 'Let the provider answer OPTIONS itself: no cors() that refuses, and no login wall, before it.'

/** Browsers ask before they let a page of another origin call (Fetch §3.2). The pages for people are for no other origin. */
export async function checkCors(examination: Examination): Promise<readonly Finding[]> {
  const { probe, document } = examination
  const called = CALLED.flatMap(([member, method, header]) => {
    const url = text(examination, member)
    return url === undefined ? [] : [{ url, method, header }]
  })
  const preflights = called.map(async ({ url, method, header }) => {
    const answer = await probe.send(url, {
      method: 'OPTIONS',
      headers: {
        Origin: ORIGIN,
        'Access-Control-Request-Method': method,
        'Access-Control-Request-Headers': header,
      },
    })
    return preflight(url, header, answer)
  })
  const readable = isOpen(document)
    ? ok('cors', 'Browsers may read the metadata')
    : error(
        'cors',
        'A page of another origin cannot read the metadata.',
        'Let nothing take the header Access-Control-Allow-Origin away.',
      )
  return [readable, ...(await Promise.all(preflights)), ...(await checkPage(examination))]
}

function preflight(url: string, asked: string, answer: Answer | Silence): Finding {
  if (isSilence(answer)) return error('cors', `OPTIONS ${url}: ${answer.message}.`, CURE)
  const { status, headers } = answer
  const allowed = (headers.get('access-control-allow-headers') ?? '').toLowerCase().split(/\s*,\s*/)
  if (status >= 300) return error('cors', `OPTIONS ${url} answers ${status}.`, CURE)
  if (!isOpen(answer)) return error('cors', `OPTIONS ${url} allows no other origin.`, CURE)
  // A star is no word for authorization, which has to be named (Fetch §4.9). GET and POST need no permission.
  if (!allowed.includes(asked) && (asked === 'authorization' || !allowed.includes('*')))
    return error('cors', `OPTIONS ${url} does not allow the header ${asked}.`, CURE)
  if (
    headers.get('access-control-allow-credentials') === 'true' &&
    headers.get('access-control-allow-origin') === '*'
  )
    return error(
      'cors',
      `OPTIONS ${url} allows credentials to everybody, which browsers refuse.`,
      'Leave credentials out: nothing here depends on cookies.',
    )
  return ok('cors', `Browsers may call ${url}`)
}

async function checkPage(examination: Examination): Promise<readonly Finding[]> {
  const url = text(examination, 'authorization_endpoint')
  if (url === undefined) return []
  const answer = await examination.probe.get(url, { Origin: ORIGIN })
  if (isSilence(answer) || answer.headers.get('access-control-allow-origin') === null) return []
  return [
    error(
      'cors',
      `${url} is open to pages of other origins.`,
      'It is for the person at the browser: take the routes of the provider out of your cors().',
    ),
  ]
}

function isOpen({ headers }: Answer): boolean {
  const origin = headers.get('access-control-allow-origin')
  return origin === '*' || origin === ORIGIN
}
