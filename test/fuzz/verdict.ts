import { fetch } from '../support/fetch.js'
import type { Host } from '../support/host.js'
import { type FuzzRequest, type Sent, spellRequest } from './requests.js'
import { SCENARIOS } from './scenarios.js'
import type { Target } from './target.js'
import { type Known, MARK } from './values.js'
import { within } from './within.js'

/** What hangs takes longer, in milliseconds; twice, since the runtime collects garbage when it likes. */
const TOO_LONG = 1000
/** Characters of an event as JSON, and events of one request. */
const LONGEST_EVENT = 2000
const MOST_EVENTS = 6

const MACHINES =
  /^\/(?:token|revoke|introspect|par|device_authorization|userinfo|jwks|register|\.well-known\/)/
const ALLOWED = /^(?:\/oauth\/|\/login\?return_to=\/oauth\/|https:\/\/(?:rp|mine|spa|first)\.example\/)/

interface Heard {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly events: Host['events']
}

/** Sends a request and throws where the answer is none that a hostile request may have. Answers its status. */
export async function judge({ host, known }: Target, request: FuzzRequest): Promise<number> {
  const sent = spellRequest(request, known, '/oauth')
  const heard = await quickly(host, sent)
  const problem = flaw(heard, sent, request, known)
  if (problem !== undefined)
    throw new Error(
      `${problem}\n${JSON.stringify(sent)}\n${heard.status} ${heard.text.slice(0, 1000)}\n${told(heard)}`,
    )
  return heard.status
}

async function quickly(host: Host, sent: Sent): Promise<Heard> {
  for (let tries = 2; ; tries--) {
    const from = performance.now()
    const heard = await within(hear(host, sent))
    if (performance.now() - from < TOO_LONG) return heard
    if (tries === 0) throw new Error(`no answer within a second, three times: ${JSON.stringify(sent)}`)
  }
}

async function hear(host: Host, { method, path, headers, body }: Sent): Promise<Heard> {
  host.events.length = 0
  const answer = await fetch(host.origin + path, {
    ...{ method, headers, redirect: 'manual' },
    ...(body !== undefined && { body }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, text, events: [...host.events] }
}

function flaw(
  { status, headers, text, events }: Heard,
  sent: Sent,
  request: FuzzRequest,
  known: Known,
): string | undefined {
  const type = headers.get('content-type') ?? ''
  const location = headers.get('location') ?? ''
  const route = SCENARIOS[request.scenario]?.route ?? ''
  // A site that does not answer as it should is none of the server's failures, and may do so soon.
  const isSite = status === 503 && events.some(({ event }) => event.reason === 'document_unavailable')
  if (status >= 500 && !isSite) return 'a failure of the server'
  if (events.some(({ name }) => name === 'server.error')) return 'an event of a failure'
  if (events.length > MOST_EVENTS) return `${events.length} events`
  if (events.some((event) => JSON.stringify(event).length > LONGEST_EVENT)) return 'an event without bounds'
  if (headers.has(MARK)) return 'a header that the request has written'
  if (type.startsWith('text/html')) {
    if (new RegExp(`<${MARK}|["'] ${MARK}=["']`).test(text)) return 'a value that is not escaped'
    if (/(?:href|src|action)="?\s*(?:javascript|data):/i.test(text)) return 'a link that runs'
  }
  if (text.includes('[object ')) return 'an object that was written as text'
  if (location !== '' && !ALLOWED.test(location)) return `a redirect to elsewhere: ${location}`
  if (/[?&]code=/.test(location) && /^https:/.test(location)) return 'a code'
  if (/name="code" value="[\w-]{40}/.test(text)) return 'a code'
  if (route === '/token' && text.includes('"access_token"')) return 'a token'
  if (text.includes('"sub":') && !JSON.stringify(sent).includes(known.access_token ?? '')) return 'claims'
  if (status >= 400 && MACHINES.test(route) && sent.method !== 'HEAD' && type.startsWith('application/json'))
    if (typeof JSON.parse(text).error !== 'string') return 'an error without a code'
  const secrets = [
    known.access_token,
    known.refresh_token,
    known.code,
    known.registration_token,
    'conf-secret',
  ]
  const log = JSON.stringify(events)
  if (secrets.some((secret) => secret !== undefined && log.includes(secret))) return 'a secret in an event'
  return undefined
}

function told({ events }: Heard): string {
  return events
    .map(
      ({ name, event }) =>
        `${name} ${event.error instanceof Error ? event.error.stack : JSON.stringify(event)}`,
    )
    .join('\n')
    .slice(0, 3000)
}
