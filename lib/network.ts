import { isIPv6 } from 'node:net'

/** Who sends a request. It is worked out only when it is asked for. */
export interface From {
  /** As Express sees it: behind a proxy that is the host's setting `trust proxy`. */
  readonly address: string
}

/** What counts as one where attempts are counted by address: whoever has an IPv6 address has 2^64 of them. */
export function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address
  const [front = '', back] = address.split('::')
  const head = front.split(':').filter(Boolean)
  const tail = back?.split(':').filter(Boolean) ?? []
  const zeros = back === undefined ? [] : Array(8 - head.length - tail.length).fill('0')
  return [...head, ...zeros, ...tail].slice(0, 4).join(':')
}
