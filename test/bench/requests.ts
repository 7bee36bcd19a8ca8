import { createHash, randomBytes } from 'node:crypto'
import { CLIENT, PATHS } from './candidates/candidate.js'
import type { Measured } from './catalogue.js'
import type { Served } from './server-process.js'

/** What a connection sends next, given the answer to what it sent last; undefined: the operation is done, and the next one begins with `first`. */
export interface Conversation {
  first(): string
  next(answer: Answer): string | undefined
}

export interface Answer {
  readonly status: number
  /** The head as it came. */
  readonly head: string
  readonly body: string
}

const VERIFIER = randomBytes(32).toString('base64url')
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')
const BASIC = Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')
const REDIRECT_URI = encodeURIComponent(CLIENT.redirectUri)
const AUTHORIZE =
  `${PATHS.authorize}?response_type=code&client_id=${CLIENT.id}&redirect_uri=${REDIRECT_URI}&scope=read` +
  `&state=the-state&code_challenge=${CHALLENGE}&code_challenge_method=S256`

/** How one connection goes about an operation. `turn`: whose tokens and cookies it begins with. */
export function conversation(operation: Measured, served: Served, turn: number): Conversation {
  let count = turn
  const oneOf = (values: readonly string[]) => values[count++ % values.length] ?? ''
  switch (operation) {
    case 'client_credentials':
      return single(() => post(PATHS.token, 'grant_type=client_credentials&scope=read'), '"access_token":"')
    case 'code flow':
      return codeFlow(() => oneOf(served.cookies))
    case 'refresh':
      return refreshing(() => oneOf(served.cookies))
    case 'requireToken':
      return single(() => get(PATHS.api, `Authorization: Bearer ${oneOf(served.samples)}\r\n`), '"read":true')
    case 'introspection':
      return single(() => post(PATHS.introspect, `token=${oneOf(served.samples)}`), '"active":true')
    case 'discovery':
      return single(() => get(PATHS.discovery), '"token_endpoint":')
    case 'open route':
      return single(() => get(PATHS.open), '"read":true')
  }
}

function single(request: () => string, expected: string): Conversation {
  return {
    first: request,
    next(answer) {
      if (answer.status !== 200 || !answer.body.includes(expected)) throw unexpected(answer)
      return undefined
    },
  }
}

function codeFlow(cookie: () => string): Conversation {
  return {
    first: () => authorize(cookie()),
    next(answer) {
      if (answer.status === 302 || answer.status === 303) return redeem(answer)
      tokenIn(answer, 'access_token')
      return undefined
    },
  }
}

/** Its first operation is a code flow, which gives it the first refresh token. */
function refreshing(cookie: () => string): Conversation {
  let token: string | undefined
  return {
    first: () =>
      token === undefined
        ? authorize(cookie())
        : post(PATHS.token, `grant_type=refresh_token&refresh_token=${token}`),
    next(answer) {
      if (answer.status === 302 || answer.status === 303) return redeem(answer)
      token = tokenIn(answer, 'refresh_token')
      return undefined
    },
  }
}

function authorize(cookie: string): string {
  return get(AUTHORIZE, `Cookie: ${cookie}\r\n`)
}

function redeem(answer: Answer): string {
  const [, code] = /\r\nlocation: [^\r]*[?&]code=([^&\r]+)/i.exec(answer.head) ?? []
  if (code === undefined) throw unexpected(answer)
  const form = `grant_type=authorization_code&code=${code}&redirect_uri=${REDIRECT_URI}&code_verifier=${VERIFIER}`
  return post(PATHS.token, form)
}

function tokenIn(answer: Answer, name: string): string {
  const begin = answer.body.indexOf(`"${name}":"`)
  if (answer.status !== 200 || begin < 0) throw unexpected(answer)
  const from = begin + name.length + 4
  return answer.body.slice(from, answer.body.indexOf('"', from))
}

function get(path: string, headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`
}

function post(path: string, form: string): string {
  return (
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${BASIC}\r\n` +
    `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`
  )
}

function unexpected({ head, body }: Answer): Error {
  return new Error(`unexpected answer: ${head}\n${body.slice(0, 500)}`)
}
