import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'

/** Somebody at a browser that knows nothing yet. */
export interface Visitor {
  readonly context: BrowserContext
  readonly page: Page
}

type Place = Visitor & { readonly kind: string }

/**
 * The people at the browsers of a suite. A place that somebody has left is cleared for the next one, since to make a new one costs as much
 * as many a test.
 */
export class Visitors {
  readonly #browser: Browser
  readonly #meet: (page: Page) => void
  readonly #taken = new Set<Place>()
  readonly #free = new Map<string, Place>()

  /** `meet`: what is done with each page that is made, once: to listen to it. */
  constructor(browser: Browser, meet: (page: Page) => void) {
    this.#browser = browser
    this.#meet = meet
  }

  async arrive(options: BrowserContextOptions = {}): Promise<Visitor> {
    const kind = JSON.stringify(options)
    const place = this.#free.get(kind) ?? (await this.#make(options, kind))
    this.#free.delete(kind)
    this.#taken.add(place)
    return place
  }

  /** All of them. Nothing that they did is there for the next one. */
  async leave(): Promise<void> {
    for (const place of this.#taken) {
      if (this.#free.has(place.kind) || !(await cleared(place))) await place.context.close()
      else this.#free.set(place.kind, place)
    }
    this.#taken.clear()
  }

  async #make(options: BrowserContextOptions, kind: string): Promise<Place> {
    const context = await this.#browser.newContext({
      ignoreHTTPSErrors: true,
      reducedMotion: 'reduce',
      ...options,
    })
    const page = await context.newPage()
    page.setDefaultTimeout(30_000)
    this.#meet(page)
    return { context, page, kind }
  }
}

/** False where it cannot be cleared: a test has closed it, or has left it on its way to somewhere. */
async function cleared({ context, page }: Place): Promise<boolean> {
  try {
    for (const another of context.pages()) if (another !== page) await another.close()
    await page.goto('about:blank')
    await context.clearCookies()
    await page.emulateMedia({ colorScheme: 'light' })
    return true
  } catch {
    return false
  }
}
