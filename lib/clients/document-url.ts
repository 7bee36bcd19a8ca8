/** Characters. Longer ones are no ids that anybody could read. */
const LONGEST = 2048

interface Problem {
  readonly problem: string
  readonly remedy: string
}

/** Whether a client id says that it is a URL. */
export function looksLikeUrl(id: string): boolean {
  return /^\s*https?:/i.test(id)
}

/**
 * The URL at which the metadata of a client lie, or what is wrong with it (OAuth Client ID Metadata Document §3). Ids are compared byte for
 * byte, and so is the URL that is asked with the one that was sent: so it has to be written as URLs normally are.
 */
export function documentUrl(id: string): URL | Problem {
  const found = (problem: string, remedy: string) => ({ problem, remedy })
  if (id.length > LONGEST) return found(`has more than ${LONGEST} characters`, 'Use a shorter URL.')
  if (!/^[\x21-\x7e]+$/.test(id) || /["<>\\^`{|}]/.test(id))
    return found('has a character that a URL cannot have', 'Percent-encode it.')
  if (!/^https:\/\//.test(id)) return found('does not begin with https://', 'Serve the document over https.')
  if (id.includes('#')) return found('has a fragment', 'Remove the # and what follows it.')
  if (!URL.canParse(id)) return found('is not a URL', 'Write it as https://host/path.')
  const url = new URL(id)
  const [path = ''] = id
    .slice('https://'.length)
    .replace(/^[^/?]*/, '')
    .split('?', 1)
  if (url.username !== '' || url.password !== '' || id.slice(8).split(/[/?]/, 1)[0]?.includes('@'))
    return found('holds a user name or password', 'Remove it.')
  if (path === '' || path === '/')
    return found('has no path', 'Serve the document at a path of its own: https://host/client.json.')
  if (path.split('/').some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment)))
    return found('has . or .. in its path', 'Write the path without them.')
  if (url.href === id) return url
  return found('is not written as URLs normally are', `Write it as ${url.href}`)
}
