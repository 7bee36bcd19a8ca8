/** What a person's browser does without script: cookies, redirects, meta refresh, forms. */
class Browser {
  #cookies = []

  /** Opens an address and goes on until a page, or until an address that begins with `stop`. */
  async open(address, { stop, ...init } = {}) {
    let url = new URL(address)
    let request = init
    for (let hop = 0; hop < 20; hop++) {
      if (stop && url.href.startsWith(stop)) return { url, status: 0, text: '' }
      const response = await fetch(url, {
        ...request,
        headers: { ...request.headers, cookie: this.#cookieFor(url) },
        redirect: 'manual',
      })
      this.#keep(url, response.headers.getSetCookie())
      const text = await response.text()
      const refresh = /<meta http-equiv="refresh" content="0;\s*url=([^"]+)"/i.exec(text)
      const next = response.headers.get('location') ?? (refresh && unescaped(refresh[1]))
      if (!next) return { url, status: response.status, text }
      url = new URL(next, url)
      request = {}
    }
    throw new Error(`too many redirects, the last one to ${url}`)
  }

  /** Sends the first form of a page as it stands, by the button with this value or else by the first one. */
  async submit(page, value, { stop } = {}) {
    const form = /<form\b([^>]*)>(.*?)<\/form>/s.exec(page.text)
    if (!form) throw new Error(`${page.status} ${page.url} has no form:\n${page.text}`)
    const body = new URLSearchParams()
    for (const [, tag] of form[2].matchAll(/<input\b([^>]*)>/g)) {
      const { name, value: text = '', type = 'text', ...rest } = attributes(tag)
      if (!name || type === 'submit' || (type === 'checkbox' && rest.checked === undefined)) continue
      body.append(name, text || (type === 'checkbox' ? 'on' : ''))
    }
    const buttons = [...form[2].matchAll(/<button\b([^>]*)>/g)].map(([, tag]) => attributes(tag))
    const button = value ? buttons.find((b) => b.value === value) : buttons[0]
    if (value && !button) throw new Error(`${page.url} has no button "${value}":\n${page.text}`)
    if (button?.name) body.append(button.name, button.value ?? '')
    const action = new URL(attributes(form[1]).action ?? '', page.url)
    return this.open(action, { method: 'POST', body, headers: { origin: action.origin }, stop })
  }

  #cookieFor(url) {
    return this.#cookies
      .filter((c) => c.host === url.hostname && `${url.pathname}/`.startsWith(c.path))
      .map((c) => `${c.name}=${c.value}`)
      .join('; ')
  }

  // Cookies know no ports: two apps on localhost share them, as in any browser.
  #keep(url, lines) {
    for (const line of lines) {
      const [pair, ...rest] = line.split(/;\s*/)
      const name = pair.slice(0, pair.indexOf('='))
      const given = Object.fromEntries(
        rest.map((r) => [r.split('=')[0].toLowerCase(), r.split('=')[1] ?? '']),
      )
      const path = (given.path ?? '/').replace(/\/?$/, '/')
      this.#cookies = this.#cookies.filter(
        (c) => c.host !== url.hostname || c.name !== name || c.path !== path,
      )
      const gone = given['max-age'] === '0' || new Date(given.expires ?? '9999-12-31') < new Date()
      if (!gone) this.#cookies.push({ host: url.hostname, name, value: pair.slice(name.length + 1), path })
    }
  }
}

function attributes(tag) {
  const found = [...tag.matchAll(/([\w-]+)(?:=(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)]
  return Object.fromEntries(found.map(([, name, a, b, c]) => [name, unescaped(a ?? b ?? c ?? '')]))
}

function unescaped(text) {
  const named = { amp: '&', lt: '<', gt: '>', quot: '"' }
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(amp|lt|gt|quot));/gi, (_, d, x, name) =>
    name ? named[name.toLowerCase()] : String.fromCodePoint(d ? Number(d) : Number.parseInt(x, 16)),
  )
}

module.exports = { Browser }
