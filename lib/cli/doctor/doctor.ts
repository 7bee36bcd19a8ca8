import { defineCommand } from '../command.js'
import { EXIT, UsageError } from '../failure.js'
import { type Io, print } from '../io.js'
import { json, visible } from '../terminal.js'
import { checkCors } from './cors.js'
import { checkIssuer, discover } from './discovery.js'
import { type Examination, type Options, text } from './examination.js'
import type { Finding } from './finding.js'
import { checkSecurity, checkToken } from './machine.js'
import { checkErrorPage, checkRequest } from './pages.js'
import { Probe } from './probe.js'
import { checkRegistration, withRegisteredClient } from './registration.js'
import { checkResource } from './resource.js'
import { checkSession } from './session.js'

/** Walks a running provider as a client would. */
export const doctor = defineCommand({
  name: 'doctor',
  summary: 'Look at a running provider as clients see it, and say what to mend',
  operand: 'issuer',
  flags: {
    client: { value: 'client id', about: 'Begin an authorization request of this client too.' },
    'redirect-uri': { value: 'URL', about: 'One of its redirect URIs.' },
    register: { about: 'Register a client for that, and delete it again, where strangers may register.' },
    resource: { value: 'URL', about: 'A route that requireToken guards: look at its challenge too.' },
  },
  notes: `The issuer is the public URL of the mount: https://photos.example/oauth.
To see the consent page, give OAUTH_DOCTOR_COOKIE the header Cookie of a browser that is signed in.
Nothing is changed there, but for --register. The exit code is 1 where something is wrong.`,
  async run(args, io) {
    const issuer = issuerOf(args.operand ?? '')
    const client = args.text('client')
    const redirectUri = args.text('redirect-uri')
    if ((client === undefined) !== (redirectUri === undefined))
      throw new UsageError('--client and --redirect-uri belong together. Give both, or none.')
    args.oneOf('client', 'register')
    const cookie = io.env.OAUTH_DOCTOR_COOKIE || undefined
    // What no header can hold would be told by whoever refuses to send it, with all that is in it.
    if (cookie !== undefined && !/^[\x20-\x7e]+$/.test(cookie))
      throw new UsageError('OAUTH_DOCTOR_COOKIE is no header. Write what stands behind Cookie: on one line.')
    const { findings, unseen } = await examine(io, issuer, {
      ...{ client, redirectUri, resource: args.text('resource'), register: args.has('register'), cookie },
    })
    const wrong = findings.some(({ level }) => level === 'error')
    await print(
      io,
      args.has('json') ? `${json({ issuer, ok: !wrong, findings, unseen }, 2)}\n` : report(findings, unseen),
    )
    return wrong ? EXIT.failed : EXIT.ok
  },
})

/** What was found, and what was not looked at, with how to let it be seen. */
interface Examined {
  readonly findings: readonly Finding[]
  readonly unseen: readonly string[]
}

async function examine(io: Io, issuer: string, options: Options): Promise<Examined> {
  const probe = new Probe(io)
  const { findings, found } = await discover(probe, issuer)
  if (found === undefined) return { findings, unseen: ['All else. Mend this first.'] }
  const examination: Examination = { probe, issuer, ...found, options, now: io.now() }
  const seen: Finding[] = [...findings, ...checkIssuer(issuer, found)]
  const checks = [
    checkSecurity,
    checkCors,
    checkToken,
    checkErrorPage,
    checkSession,
    checkResource,
    checkRegistration,
    checkClient,
  ]
  for (const check of checks) seen.push(...(await check(examination)))
  return { findings: seen, unseen: unseenWith(options) }
}

function unseenWith({ client, register, cookie }: Options): readonly string[] {
  return [
    ...(client === undefined && !register
      ? [
          'The way of a request to your login and the consent page. Name a client, --client and --redirect-uri, or let one be registered, --register.',
        ]
      : []),
    ...(cookie === undefined
      ? [
          'The consent page, and whether your session is known there. Set OAUTH_DOCTOR_COOKIE to the header Cookie of a browser that is signed in.',
        ]
      : []),
  ]
}

/** A whole request, where there is a client to make it. */
async function checkClient(examination: Examination): Promise<readonly Finding[]> {
  const { client, redirectUri, register } = examination.options
  const endpoint = text(examination, 'authorization_endpoint') ?? ''
  // checkErrorPage has said so.
  if (!URL.canParse(endpoint)) return []
  if (register)
    return withRegisteredClient(examination, (registered) => checkRequest(examination, endpoint, registered))
  if (client === undefined || redirectUri === undefined) return []
  return checkRequest(examination, endpoint, { clientId: client, redirectUri })
}

function issuerOf(given: string): string {
  const url = given.includes('://') ? given : `https://${given}`
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url) || /[?#]|^https?:..[^/]*@/i.test(url))
    throw new UsageError(
      `'${given}' is no issuer. Write the public URL of the mount: https://photos.example/oauth`,
    )
  return url.replace(/\/+$/, '')
}

const MARKS = { ok: 'ok   ', warning: 'look ', error: 'WRONG' } as const

function report(findings: readonly Finding[], unseen: readonly string[]): string {
  const lines = findings.flatMap(({ level, message, cure }) => [
    `${MARKS[level]}  ${visible(message)}`,
    ...(cure === undefined ? [] : [`       ${visible(cure)}`]),
  ])
  const count = (wanted: Finding['level']) => findings.filter(({ level }) => level === wanted).length
  const [errors, warnings] = [count('error'), count('warning')]
  const sum =
    errors + warnings === 0
      ? unseen.length === 0
        ? 'All is well.'
        : 'Nothing wrong was found, but not all was looked at.'
      : `${errors} wrong, ${warnings} to look at, ${count('ok')} in order.`
  const rest = unseen.map((what) => `Not looked at: ${what}\n`).join('')
  return `${lines.join('\n')}\n\n${sum}\n${rest}`
}
