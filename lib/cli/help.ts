import { suggestion } from '../suggestion.js'
import { type Command, PROGRAM } from './command.js'
import { UsageError } from './failure.js'
import { list } from './table.js'

/** All commands, those of a group, or the manual of one. */
export function help(words: readonly string[], commands: readonly Command[]): string {
  const asked = words.filter((word) => !word.startsWith('-')).join(' ')
  if (asked === '') return `${PROGRAM} <command> [flags]\n\n${rows(commands)}\n${CLOSING}`
  const command = commands.find(({ name }) => name === asked)
  if (command !== undefined)
    return `${command.summary}\n\n${command.manual ?? `${PROGRAM} ${command.name}\n`}`
  const group = commands.filter(({ name }) => name.startsWith(`${asked} `))
  if (group.length > 0) return `${rows(group)}\nThe flags of one: ${PROGRAM} help ${group[0]?.name}\n`
  const meant = suggestion(
    asked,
    commands.map(({ name }) => name),
  )
  throw new UsageError(
    `There is no command '${asked}'. ${meant === undefined ? `All commands: ${PROGRAM} help` : `Did you mean '${meant}'?`}`,
  )
}

const CLOSING = `The flags of a command: ${PROGRAM} help <command>
The store is a SQLite file or a PostgreSQL URL: --store, or OAUTH_STORE. Default: oauth.db in the working directory.
What is encrypted in it is read with OAUTH_SECRET: the option secret of your app. It is no flag, since everybody on this machine can see flags.
Exit codes: 0 done, 1 refused or failed, 2 typed wrong.
`

function rows(commands: readonly Command[]): string {
  return list(commands.map(({ name, summary }) => [`  ${name}`, summary]))
}
