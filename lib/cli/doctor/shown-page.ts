import { either, error, type Finding, ok } from './finding.js'
import type { Answer, Silence } from './probe.js'

const OWN_HEADERS =
  'The provider sets the headers of its pages itself: let no middleware or proxy behind it change them.'

/** Headers that keep a page from frames and caches, and let the form on it lead back to the client. */
export function checkPolicy({ url, headers }: Answer): readonly Finding[] {
  const policy = headers.get('content-security-policy') ?? ''
  const framed = /frame-ancestors 'none'/.test(policy) || headers.get('x-frame-options') === 'DENY'
  return [
    either(
      !/form-action/.test(policy),
      ok('csp', 'No form-action keeps the consent form from leading back to the client'),
      error(
        'csp',
        `The pages at ${url} have a Content-Security-Policy with form-action.`,
        `Browsers apply it to the redirect after the form, and approving does nothing. ${OWN_HEADERS}`,
      ),
    ),
    either(
      framed,
      ok('csp', 'The pages can be in no frame'),
      error('csp', `The pages at ${url} can be shown in a frame.`, OWN_HEADERS),
    ),
    either(
      /no-store/.test(headers.get('cache-control') ?? ''),
      ok('cache', 'The pages are kept by no cache'),
      error(
        'cache',
        `The pages at ${url} may be kept by caches.`,
        'Take the routes of the provider out of the CDN.',
      ),
    ),
  ]
}

/** What its first heading says, if it is a page. */
export function titleOf({ text: html }: Answer): string | undefined {
  return /<h1[^>]*>([^<]*)/.exec(html)?.[1]?.trim()
}

/** Where browsers go, and nobody answers. */
export function unanswered(check: string, { url, message }: Silence): Finding {
  return error(
    check,
    `${url.replace(/[?].*/s, '')} does not answer: ${message}.`,
    'Browsers are sent there: let it be reached by them.',
  )
}
