import { mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Page } from 'playwright-core'

/** As text, for the page: what is loaded here as well costs more than it does there. */
const axe = readFileSync(path.resolve(import.meta.dirname, '../../node_modules/axe-core/axe.min.js'), 'utf8')

/** A folder to keep pictures of all pages in, for people to look at. */
const pictures = process.env.SCREENSHOTS
if (pictures) mkdirSync(pictures, { recursive: true })

/** Tells what a page complains of: errors on its console, but those that are meant, and scripts that ran. */
export function listenTo(
  page: Page,
  complain: (text: string) => void,
  isMeant = (_text: string) => false,
): void {
  page.on('console', (message) => {
    if (message.type() === 'error' && !isMeant(message.text())) complain(message.text())
  })
  page.on('dialog', (dialog) => {
    complain(`a script ran: ${dialog.message()}`)
    dialog.dismiss()
  })
}

const FOREIGN = 'svg, script, img, iframe, [onload]'

/** Elements that none of our pages has. Only markup that was let in can make them. */
export function markup(page: Page): Promise<string[]> {
  return page.evaluate(`[...document.querySelectorAll('${FOREIGN}')].map(({ localName }) => localName)`)
}

/** What is on the page although nobody may bring it there: elements of `markup`, addresses that are scripts, templates that were run. */
export function injected(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`[
    ...[...document.querySelectorAll('${FOREIGN}')].map(({ localName }) => localName),
    ...[...document.querySelectorAll('[href^="javascript:"], [action^="javascript:"]')].map(({ outerHTML }) => outerHTML),
    ...document.documentElement.outerHTML.match(/1234321/g) ?? [],
  ]`)
}

/** What axe finds, told in words on the page itself: its whole report costs four times as much. `rules`: only these. */
export async function findings(page: Page, rules?: readonly string[]): Promise<string[]> {
  if ((await page.evaluate('typeof axe')) === 'undefined') await page.evaluate(axe)
  const options = JSON.stringify({ resultTypes: ['violations'], ...(rules && { runOnly: rules }) })
  return page.evaluate<string[]>(`axe.run(${options}).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`)
}

/** Those rules of axe that ask for colours and sizes. The others ask for the markup, which is one for all colour schemes and widths. */
export const LOOKS = ['color-contrast', 'link-in-text-block', 'scrollable-region-focusable']

/** In light and dark, on a phone and on a desk axe finds nothing, and nothing has to be scrolled sideways. */
export async function expectGoodLooks(page: Page, name: string): Promise<void> {
  const usual = page.viewportSize()
  // A table is shown as one on a desk only.
  const needsAll = (await page.evaluate('document.querySelector("table") !== null')) ? [375, 1280] : [375]
  const found: string[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [375, 1280]) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 800 })
      const all = colorScheme === 'light' && needsAll.includes(width)
      found.push(...(await findings(page, all ? undefined : LOOKS)))
      const file = `${name}-${colorScheme}-${width}.png`
      if (pictures) await page.screenshot({ path: path.join(pictures, file), fullPage: true })
    }
  }
  expect(found).toEqual([])
  await page.setViewportSize({ width: 320, height: 600 })
  const needed = await page.evaluate('document.documentElement.scrollWidth')
  if (usual !== null) await page.setViewportSize(usual)
  expect(needed).toBeLessThanOrEqual(320)
}
