import { isScopeToken } from '../../scopes.js'
import { UsageError } from '../failure.js'

/** As it is written in a dialogue; at a shell the sentence has quotes. */
export const EXAMPLE = 'photos=See your photos'

/** Name to sentence, of `photos=See your photos`. */
export function readScopes(
  texts: readonly string[],
  example = 'photos="See your photos"',
): ReadonlyMap<string, string> {
  return new Map(
    texts.map((text): [string, string] => {
      const [name = '', ...words] = text.split('=')
      const sentence = words.join('=').trim()
      if (isScopeToken(name.trim()) && sentence !== '') return [name.trim(), sentence]
      throw new UsageError(
        `'${text}' is no scope with its sentence. Write the name, and what users read: ${example}.`,
      )
    }),
  )
}
