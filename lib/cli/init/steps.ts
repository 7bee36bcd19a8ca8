import path from 'node:path'
import { PROGRAM } from '../command.js'
import type { Answers } from './answers.js'
import { members, quoted } from './code.js'
import type { Project } from './project.js'

const FROM_HOST: Readonly<Record<string, string>> = {
  findUser: '(id) => users.find(id)',
  currentUser: '(req) => req.yourLogin?.userId',
}

/** What is left to do, in the order in which Express needs it. */
export function nextSteps(file: string, answers: Answers, { missing }: Project): string {
  return [
    ...(missing.length > 0
      ? [`Install what package.json does not name yet:\n\n  npm install ${missing.join(' ')}`]
      : []),
    `Add to your app, in this order:\n\n${indented(mounting(file, answers))}`,
    `Your login page gets the query parameter return_to: send the browser there, after a check that it is a path of yours, when the user has signed in. Default: /login; another one is the option loginUrl.`,
    'Put oauth.db* into .gitignore. In production set OAUTH_ISSUER to the public https URL, and OAUTH_SECRET to 32 or more random characters.',
    `Add a client: ${PROGRAM} clients add --name "Print shop" --redirect-uri https://shop.example/callback\n(once the app has been started; until then: ${PROGRAM} migrate)`,
  ].join('\n\n')
}

/** The lines themselves. */
export function mounting(file: string, answers: Answers): string {
  const { issuer, module, users, scopes } = answers
  const mount = new URL(issuer).pathname
  const [scope] = scopes.keys()
  const name = `./${path.basename(file)}`
  const from = module === 'typescript' ? name.replace(/\.ts$/, '.js') : name
  const given = members(answers).map((member) => `${member}: ${FROM_HOST[member]}`)
  return [
    module === 'commonjs'
      ? `const { createOAuth } = require(${quoted(from)})`
      : `import { createOAuth } from ${quoted(from)}`,
    '',
    `const oauth = createOAuth({ ${given.join(', ')} })`,
    '',
    users === 'other'
      ? '// 1. Whatever makes your login known to a request.'
      : '// 1. Your session, as it is.',
    ...(users === 'other' ? [] : ['app.use(session({ ... }))']),
    ...(users === 'passport' ? ['app.use(passport.session())'] : []),
    '// 2. The provider: behind the session, before csurf and body parsers.',
    `app.use(${quoted(mount)}, oauth)`,
    '// 3. The documents that have to lie at the root.',
    'app.use(oauth.wellKnown)',
    '// 4. csurf, body parsers, and all else that you have.',
    '// 5. Your API.',
    `app.get('/api/...', oauth.requireToken(${scope === undefined ? '' : quoted(scope)}), (req, res) => res.json(...))`,
  ].join('\n')
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n')
}
