import type { Page } from 'playwright-core'

/** Elements that none of our pages has. Only markup that was let in can make them. */
export function markup(page: Page): Promise<string[]> {
  return page.locator('svg, script, img, iframe, [onload]').evaluateAll((found) => {
    return found.map((element) => (element as unknown as { localName: string }).localName)
  })
}

/** What axe finds; it has to be on the page. */
export async function findings(page: Page): Promise<string[]> {
  const { violations } = (await page.evaluate('axe.run()')) as {
    violations: { id: string; nodes: { html: string }[] }[]
  }
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}
