import { fetch } from './fetch.js'
import type { Host } from './host.js'

interface Cookie {
  readonly value: string
  readonly path: string
}

export interface Page {
  readonly status: number
  readonly headers: Headers
  readonly url: string
  readonly text: string
  /** The Location header, resolved against the URL; undefined where there is none. */
  readonly location: string | undefined
}

/** A browser without a screen: keeps cookies (with their paths) for one host, and follows nothing by itself. */
export class Agent {
  readonly #host: Pick<Host, 'origin'>
  readonly cookies = new Map<string, Cookie>()

  constructor(host: Pick<Host, 'origin'>) {
    this.#host = host
  }

  get(url: string, headers: Record<string, string> = {}): Promise<Page> {
    return this.request(url, { headers })
  }

  /** Posts a form. A value that is an array is sent repeatedly. */
  post(url: string, form: Form, headers: Record<string, string> = {}): Promise<Page> {
    return this.request(url, { method: 'POST', body: encode(form), headers })
  }

  async request(url: string, init: RequestInit): Promise<Page> {
    const target = new URL(url, this.#host.origin)
    const headers = new Headers(init.headers)
    const cookie = [...this.cookies]
      .filter(
        ([, { path }]) => target.pathname === path || target.pathname.startsWith(path.replace(/\/?$/, '/')),
      )
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ')
    if (cookie !== '' && !headers.has('cookie')) headers.set('cookie', cookie)
    const response = await fetch(target, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) this.#keep(line)
    const location = response.headers.get('location')
    return {
      status: response.status,
      headers: response.headers,
      url: target.href,
      text: await response.text(),
      location:
        location === null ? undefined : location.startsWith('/') ? new URL(location, target).href : location,
    }
  }

  /** Goes on from redirect to redirect while they stay at the host, and gives the last answer. */
  async follow(url: string): Promise<Page> {
    let page = await this.get(url)
    for (let hops = 0; page.location?.startsWith(this.#host.origin); hops++) {
      if (hops > 10) throw new Error('too many redirects')
      page = await this.get(page.location)
    }
    return page
  }

  /** Signs in at the host's login, as its page would, and goes on to `returnTo`. */
  async login(user: string, returnTo = '/'): Promise<Page> {
    const page = await this.post('/login', { user, return_to: returnTo })
    return page.location?.startsWith(this.#host.origin) ? this.follow(page.location) : page
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
    const [name = '', value = ''] = pair.split(/=(.*)/s)
    const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice('path='.length) ?? '/'
    if (attributes.some((attribute) => /^(expires=Thu, 01 Jan 1970|max-age=0)/i.test(attribute)))
      this.cookies.delete(name)
    else this.cookies.set(name, { value, path })
  }
}

export type Form = Readonly<Record<string, string | readonly string[] | undefined>>

export function encode(form: Form): URLSearchParams {
  const encoded = new URLSearchParams()
  for (const [name, value] of Object.entries(form)) {
    for (const item of Array.isArray(value) ? value : [value])
      if (item !== undefined) encoded.append(name, item)
  }
  return encoded
}

/** The value of a hidden or other input on a page. */
export function inputValue(page: Page, name: string): string {
  const tag = [...page.text.matchAll(/<input[^>]*>/g)]
    .map(([tag]) => tag)
    .find((tag) => tag.includes(`name="${name}"`))
  const value = tag?.match(/value="([^"]*)"/)?.[1]
  if (value === undefined) throw new Error(`no input named ${name} on ${page.url} (${page.status})`)
  return value
}
