import { resolveIssuer } from '../../issuer.js'
import type { Arguments, Flags } from '../arguments.js'
import type { Ask } from '../ask.js'
import { UsageError } from '../failure.js'
import { MODULES, type Module, type Project, USERS, type Users } from './project.js'
import { EXAMPLE, readScopes } from './scopes.js'

/** What the app uses. */
export interface Answers {
  readonly issuer: string
  readonly module: Module
  readonly users: Users
  /** Name to sentence. */
  readonly scopes: ReadonlyMap<string, string>
  readonly mcp: boolean
}

export const ANSWER_FLAGS: Flags = {
  issuer: { value: 'URL', about: 'The public URL of the provider: https://photos.example/oauth.' },
  port: { value: 'number', about: 'Instead of --issuer, for a start: the port of your app on localhost.' },
  mount: { value: 'path', about: 'The path to mount the provider at, beside --port. Default: /oauth.' },
  module: {
    value: 'name',
    about: `How your app is written: ${MODULES.join(', ')}. Default: as package.json says.`,
  },
  users: { value: 'name', about: `Where your app keeps who is signed in: ${USERS.join(', ')}.` },
  scope: {
    value: 'name=sentence',
    many: true,
    about: 'What clients may ask for, and what users read: photos="See your photos".',
  },
  mcp: { about: 'Let MCP clients connect (Claude, ChatGPT, VS Code, Cursor).' },
}

const PORT = '3000'
const MOUNT = '/oauth'

/** From the flags; what they leave open is asked, or where nobody can be asked what is usual. */
export async function answersOf(args: Arguments, project: Project, ask: Ask | undefined): Promise<Answers> {
  args.oneOf('issuer', 'port')
  args.oneOf('issuer', 'mount')
  const one = <Word extends string>(flag: string, question: string, words: readonly Word[], usual: Word) =>
    choice(args.text(flag), flag, words, usual, ask, question)
  const issuer = await issuerOf(args, ask)
  const module = await one('module', 'How is your app written', MODULES, project.module)
  const users = await one('users', 'Where does it keep who is signed in', USERS, project.users)
  const scopes = args.all('scope')
  return {
    issuer,
    module,
    users,
    scopes: scopes === undefined ? await askedScopes(ask) : readScopes(scopes),
    mcp:
      args.has('mcp') || (await isYes(ask, 'Shall MCP clients connect (Claude, ChatGPT, VS Code, Cursor)?')),
  }
}

async function issuerOf(args: Arguments, ask: Ask | undefined): Promise<string> {
  const port = args.text('port')
  const mount = args.text('mount')
  const usual = local(port ?? PORT, mount ?? MOUNT)
  if (args.has('issuer')) return checkedIssuer(args.text('issuer') ?? '')
  if (port !== undefined || mount !== undefined || ask === undefined) return checkedIssuer(usual)
  return asked(ask, 'The public URL of the provider', usual, checkedIssuer)
}

function local(port: string, mount: string): string {
  if (!/^\d{1,5}$/.test(port)) throw new UsageError(`--port '${port}' is no port. Write --port 3000.`)
  const path = mount === '/' ? '' : mount
  if (path === '' || path.startsWith('/')) return `http://localhost:${port}${path}`
  throw new UsageError(`--mount '${mount}' is no path. Write --mount /oauth.`)
}

function checkedIssuer(text: string): string {
  try {
    resolveIssuer(text)
    return text
  } catch (error) {
    throw new UsageError((error as Error).message.replace(/^oauthProvider: /, ''))
  }
}

function choice<Word extends string>(
  given: string | undefined,
  flag: string,
  words: readonly Word[],
  usual: Word,
  ask: Ask | undefined,
  question: string,
): Promise<Word> | Word {
  const named = (text: string) => words.find((known) => known === text.toLowerCase())
  if (given !== undefined) {
    const word = named(given)
    if (word !== undefined) return word
    throw new UsageError(`--${flag} '${given}' is not known. Write one of: ${words.join(', ')}.`)
  }
  if (ask === undefined) return usual
  const numbered = words.map((word, index) => `${index + 1} ${word}`).join(', ')
  return asked(ask, `${question} (${numbered})`, usual, (text) => {
    const word = named(text) ?? (/^\d$/.test(text) ? words[Number(text) - 1] : undefined)
    if (word !== undefined) return word
    throw new UsageError(`'${text}' is none of these. Write the word, or its number: ${numbered}.`)
  })
}

/** Until the answer is one. */
async function asked<T>(ask: Ask, question: string, usual: string, check: (text: string) => T): Promise<T> {
  for (let hint = ''; ; ) {
    const text = (await ask(`${hint}${question} [${usual}]: `)) || usual
    try {
      return check(text)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      hint = `${error.message}\n`
    }
  }
}

async function askedScopes(ask: Ask | undefined): Promise<ReadonlyMap<string, string>> {
  if (ask === undefined) return new Map()
  const texts: string[] = []
  for (let hint = ''; ; ) {
    const text = await ask(`${hint}A scope, name=sentence, such as ${EXAMPLE} (Enter: no more): `)
    hint = ''
    if (text === '') return readScopes(texts)
    try {
      readScopes([text], EXAMPLE)
      texts.push(text)
    } catch (error) {
      hint = `${(error as Error).message}\n`
    }
  }
}

async function isYes(ask: Ask | undefined, question: string): Promise<boolean> {
  return ask !== undefined && /^y(es)?$/i.test(await ask(`${question} [y/N] `))
}
