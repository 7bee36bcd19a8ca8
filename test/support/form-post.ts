import type { Page } from './agent.js'

/** An authorization response in the form of a page, as a browser would post it (OAuth 2.0 Form Post Response Mode §2). */
export interface FormPost {
  readonly action: string
  /** Every input, in order. */
  readonly members: URLSearchParams
  /** The nonce of the one script. */
  readonly nonce: string
}

export function readFormPost(page: Page): FormPost {
  const forms = [...page.text.matchAll(/<form [^>]*method="post"[^>]*>/g)]
  const action = /action="([^"]*)"/.exec(forms[0]?.[0] ?? '')?.[1]
  if (forms.length !== 1 || action === undefined)
    throw new Error(`no form to post on ${page.url} (${page.status}): ${page.text.slice(0, 2000)}`)
  const members = new URLSearchParams()
  for (const [tag] of page.text.matchAll(/<input[^>]*>/g)) {
    const [, name, value] = /^<input type="hidden" name="([^"]*)" value="([^"]*)">$/.exec(tag) ?? []
    if (name === undefined || value === undefined) throw new Error(`an input that is none of ours: ${tag}`)
    members.append(unescaped(name), unescaped(value))
  }
  const scripts = [...page.text.matchAll(/<script nonce="([^"]+)">([^<]*)<\/script>/g)]
  const [, nonce = '', code] = scripts[0] ?? []
  if (scripts.length !== 1 || code !== "document.getElementById('answer').submit()")
    throw new Error(`not the one script of ours: ${page.text.slice(-500)}`)
  return { action: unescaped(action), members, nonce }
}

/** The request that the browser would send. */
export function formPosted(page: Page): Request {
  const { action, members } = readFormPost(page)
  return new Request(action, { method: 'POST', body: members })
}

/** Whether a page is one that posts an authorization response. */
export function isFormPost(page: Page): boolean {
  return page.text.includes('<form class="card stack" id="answer"')
}

function unescaped(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&#34;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
}
