import { ConfigurationError } from './errors.js'
import { describe } from './validation.js'

const EXAMPLE = "Pass the public URL at which the router is mounted, such as 'https://photos.example/oauth'."

/** RFC 8414 §2, RFC 9207 §2: clients compare the issuer byte for byte, so only one spelling can be right. */
export function resolveIssuer(issuer: unknown): URL {
  const refuse = (problem: string, remedy: string) => new ConfigurationError('issuer', problem, remedy)
  if (issuer === undefined || issuer === '') throw refuse('is missing', EXAMPLE)
  if (issuer instanceof URL) {
    throw refuse('is a URL object', `Pass the string: '${issuer.href.replace(/\/+$/, '')}'.`)
  }
  if (typeof issuer !== 'string') throw refuse(`is ${describe(issuer)}`, EXAMPLE)
  if (!URL.canParse(issuer)) throw refuse(`is not a URL: '${issuer}'`, EXAMPLE)
  const url = new URL(issuer)
  if (/[?#]/.test(issuer)) throw refuse(`has a query or a fragment: '${issuer}'`, 'Remove it.')
  if (issuer.endsWith('/')) {
    throw refuse(`ends with a slash: '${issuer}'`, `Write '${issuer.replace(/\/+$/, '')}'.`)
  }
  if (url.username !== '' || url.password !== '') throw refuse('holds a user name or password', 'Remove it.')
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw refuse(
      `is not https: '${issuer}'`,
      'Use https; http works only for localhost, 127.0.0.1 and [::1].',
    )
  }
  const normalized = url.pathname === '/' ? url.origin : url.href
  if (normalized !== issuer) throw refuse(`is not in its normal form: '${issuer}'`, `Write '${normalized}'.`)
  // The path also goes into cookies, forms and redirects, where '//host' would be another site and ';' the end of a cookie's path.
  if (!/^(?:\/[\w.~-]+)*\/?$/.test(url.pathname)) {
    throw refuse(`has a path that needs encoding: '${issuer}'`, 'Use letters, digits, -, ., _ and ~.')
  }
  return url
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'
}
