import type { IncomingMessage } from 'node:http'

/** Whether a page of another site has caused this request; browsers say it since 2023 (Fetch Metadata §2.3). */
export function isCrossSite({ headers }: IncomingMessage): boolean {
  return headers['sec-fetch-site'] === 'cross-site'
}

/** Whether a page of another origin has, be it of the same site; not so for an address that was typed or scanned. */
export function isCrossOrigin({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site']
  return site !== undefined && site !== 'same-origin' && site !== 'none'
}
