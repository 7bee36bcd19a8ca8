import type { Page } from 'playwright-core'

/**
 * A hand and an eye at a page that has loaded: real input, where a person would point. Playwright's locators do the same and wait for what
 * is not there yet, but for each document they load a script of 300 kB into it, which is most of what a step costs.
 */
export type Pressable = 'button' | 'link'

const TAGS: Record<Pressable, string> = { button: 'button', link: 'a[href]' }

/** Presses the one that has these words in its name; what is unclear, hidden or covered is left to Playwright, which waits or complains. */
export async function click(page: Page, role: Pressable, name = '', exact = false): Promise<void> {
  const point = await page
    .evaluate<{ x: number; y: number } | null>(`(${POINT_OF})(${json(TAGS[role], name, exact)})`)
    .catch(() => null)
  if (point !== null) return page.mouse.click(point.x, point.y)
  await page.getByRole(role, { name, exact }).click()
}

/** Writes into the field of a form that has this label. */
export async function type(page: Page, label: string, text: string): Promise<void> {
  const there = await page.evaluate<boolean>(`(${FOCUS})(${json(label)})`).catch(() => false)
  if (there) return page.keyboard.insertText(text)
  await page.getByLabel(label).fill(text)
}

/** What is written in the only element of this kind; null where there is none. */
export async function read(page: Page, selector: string): Promise<string | null> {
  const [text = null, ...others] = await texts(page, selector)
  if (others.length > 0) throw new Error(`${selector} is on ${page.url()} ${1 + others.length} times`)
  return text
}

/** The same as it is seen, without the breaks between its lines. */
export async function look(page: Page, selector: string): Promise<string> {
  const text = await page.evaluate<string>(`document.querySelector(${json(selector)}).innerText`)
  return text.replaceAll(/\s+/g, ' ')
}

/** What is written in each of them, seen or not. */
export function texts(page: Page, selector: string): Promise<string[]> {
  return page.evaluate(
    `[...document.querySelectorAll(${json(selector)})].map(({ textContent }) => textContent)`,
  )
}

const json = (...values: readonly unknown[]) => values.map((value) => JSON.stringify(value)).join()

const POINT_OF = `(selector, name, exact) => {
  const tidy = (text) => text.replace(/\\s+/g, ' ').trim()
  const nameOf = (element) => {
    const labels = element.getAttribute('aria-labelledby')?.split(' ').map((id) => document.getElementById(id))
    const text = labels?.map((label) => label?.textContent).join(' ')
    return tidy(text ?? element.getAttribute('aria-label') ?? element.textContent)
  }
  const fits = (found) => exact ? found === tidy(name) : found.toLowerCase().includes(tidy(name).toLowerCase())
  const found = [...document.querySelectorAll(selector)].filter((element) => fits(nameOf(element)))
  if (found.length !== 1 || found[0].disabled) return null
  found[0].scrollIntoView({ block: 'center', behavior: 'instant' })
  const { left, top, width, height } = found[0].getClientRects()[0] ?? {}
  const point = { x: left + width / 2, y: top + height / 2 }
  return width > 0 && found[0].contains(document.elementFromPoint(point.x, point.y)) ? point : null
}`

const FOCUS = `(label) => {
  const found = [...document.querySelectorAll('label')].filter(({ textContent }) => textContent.includes(label))
  const field = found.length === 1 ? found[0].control : null
  if (!/^(input|textarea)$/.test(field?.localName) || field.disabled || field.readOnly) return false
  field.focus()
  field.select()
  return document.activeElement === field
}`
