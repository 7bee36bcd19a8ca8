import path from 'node:path'
import { PROGRAM } from '../command.js'
import type { Answers } from './answers.js'
import { members, quoted } from './code.js'
import type { Project } from './project.js'

/** Names that nobody takes for a method of an array or a Map. */
const FROM_HOST: Readonly<Record<string, string>> = {
  findUser: '(id) => findUserById(id)',
  currentUser: '(req) => req.yourLogin?.userId',
}

/** What is left to do, in the order in which Express needs it. */
export function nextSteps(file: string, answers: Answers, { missing }: Project): string {
  return [
    ...(missing.length > 0
      ? [`Install what package.json does not name yet:\n\n  npm install ${missing.join(' ')}`]
      : []),
    `Add to your app, in this order:\n\n${indented(mounting(file, answers))}`,
    `Your login page gets the query parameter return_to. When the user has signed in, send the browser there, if it is at your origin:\n\n  res.redirect(303, safeReturnTo(req.query.return_to))\n\nThe default is /login; another page is the option loginUrl.`,
    'Put oauth.db* into .gitignore. In production set OAUTH_ISSUER to the public https URL, and OAUTH_SECRET to 32 or more random characters.',
    `Add a client: ${PROGRAM} clients add --name "Print shop" --redirect-uri https://shop.example/callback\n(once the app has been started; until then: ${PROGRAM} migrate)`,
  ].join('\n\n')
}

/** The lines themselves. */
export function mounting(file: string, answers: Answers): string {
  const { issuer, module, users, scopes, mcp } = answers
  const mount = new URL(issuer).pathname
  const [scope] = scopes.keys()
  const needed = scope === undefined ? '' : quoted(scope)
  const name = `./${path.basename(file)}`
  const from = module === 'typescript' ? name.replace(/\.ts$/, '.js') : name
  const given = members(answers).map((member) => `${member}: ${FROM_HOST[member]}`)
  return [
    module === 'commonjs'
      ? `const { createOAuth, safeReturnTo } = require(${quoted(from)})`
      : `import { createOAuth, safeReturnTo } from ${quoted(from)}`,
    '',
    '// findUserById is yours: it gives the user, or undefined. The id is a string: Number(id) where yours are numbers.',
    `const oauth = createOAuth({ ${given.join(', ')} })`,
    '',
    users === 'other'
      ? '// 1. A session, which the forms of the provider need, and whatever makes your login known to a request.'
      : '// 1. Your session, as it is.',
    'app.use(session({ ... }))',
    ...(users === 'passport' ? ['app.use(passport.session())'] : []),
    '// 2. The provider: behind the session, before csurf and body parsers.',
    `app.use(${quoted(mount)}, oauth)`,
    '// 3. The documents that have to lie at the root.',
    'app.use(oauth.wellKnown)',
    ...(mcp
      ? [
          '// 4. Your MCP endpoint: mcpHandler is yours, see "MCP" in the README of express-oauth-provider.',
          `app.all('/mcp', oauth.requireToken(${needed}), mcpHandler)`,
        ]
      : []),
    `// ${mcp ? 5 : 4}. csurf, body parsers, and all else that you have.`,
    `// ${mcp ? 6 : 5}. Your API.`,
    `app.get('/api/...', oauth.requireToken(${needed}), (req, res) => res.json(...))`,
  ].join('\n')
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n')
}
