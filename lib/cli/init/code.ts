import type { Answers } from './answers.js'

/** The file that makes the provider, in the language of the app. */
export function providerCode(answers: Answers): string {
  const { module } = answers
  const typed = module === 'typescript'
  const names = typed ? 'type OAuthProviderOptions, oauthProvider' : 'oauthProvider'
  const opening =
    module === 'commonjs'
      ? `const { oauthProvider } = require('express-oauth-provider')`
      : `import { ${names} } from 'express-oauth-provider'`
  const signature = typed
    ? `createOAuth<User extends object>(
  app: Required<Pick<OAuthProviderOptions<User>, ${union(members(answers))}>>,
)`
    : 'createOAuth(app)'
  return `${opening}

/** The public URL at which the provider is mounted. In production it is https. */
const issuer = () => process.env.OAUTH_ISSUER ?? ${quoted(answers.issuer)}

/**
 * Makes the OAuth provider of this app.
${documentation(answers)}
 */
${module === 'commonjs' ? '' : 'export '}function ${signature} {
  const { OAUTH_STORE, OAUTH_SECRET } = process.env
  return oauthProvider({
    issuer: issuer(),
${members(answers)
  .map((name) => `    ${name}: (${ARGUMENT[name]}) => app.${name}(${ARGUMENT[name]}),\n`)
  .join('')}${scopesOf(answers)}    // A SQLite file; keep it and its -wal and -shm out of version control.
    store: OAUTH_STORE ?? 'oauth.db',
${answers.mcp ? '    // MCP clients find the provider, and register themselves.\n    mcp: true,\n' : ''}    // Encrypts the signing keys in the store: 32 or more random characters.
    ...(OAUTH_SECRET ? { secret: OAUTH_SECRET } : {}),
  })
}

/** For your login page: where \`return_to\` leads, if that is at this origin. Anybody can make a link to the login. */
${module === 'commonjs' ? '' : 'export '}function safeReturnTo(${typed ? 'value: unknown' : 'value'}) {
  const { origin } = new URL(issuer())
  const url = typeof value === 'string' && URL.canParse(value, origin) ? new URL(value, origin) : undefined
  return url?.origin === origin ? url.href : '/'
}
${module === 'commonjs' ? '\nmodule.exports = { createOAuth, safeReturnTo }\n' : ''}`
}

const ARGUMENT: Readonly<Record<string, string>> = { findUser: 'id', currentUser: 'req' }

/** What the app has to bring. */
export function members({ users }: Pick<Answers, 'users'>): readonly string[] {
  return users === 'other' ? ['findUser', 'currentUser'] : ['findUser']
}

function documentation(answers: Answers): string {
  const lines = [' * `findUser(id)`: the user with this id, or undefined where there is none any more.']
  if (answers.users === 'session') lines.push(' * Who is signed in is read from `req.session.userId`.')
  if (answers.users === 'passport') lines.push(' * Who is signed in is read from `req.user.id`.')
  if (answers.users === 'other')
    lines.push(' * `currentUser(req)`: the id of whoever is signed in, or undefined.')
  return lines.join('\n')
}

function scopesOf({ scopes }: Answers): string {
  if (scopes.size === 0)
    return `    // What clients may ask for, and what users read before they allow it:\n    // scopes: { photos: 'See your photos' },\n`
  const lines = [...scopes].map(([name, sentence]) => {
    const key = /^[a-z_$][\w$]*$/i.test(name) && name !== '__proto__' ? name : `[${quoted(name)}]`
    return `      ${key}: ${quoted(sentence)},\n`
  })
  return `    // What clients may ask for, and what users read before they allow it.\n    scopes: {\n${lines.join('')}    },\n`
}

function union(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(' | ')
}

/** A string literal, whatever is in the text. */
export function quoted(text: string): string {
  const inner = JSON.stringify(text)
    .slice(1, -1)
    .replaceAll('\\"', '"')
    .replaceAll("'", "\\'")
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
  return `'${inner}'`
}
