import ipaddr from 'ipaddr.js'
import { ConfigurationError } from '../errors.js'

/** `public`: anybody may have a server there. `allowed`: inside the network, and allowed by `allowPrivateAddresses`. */
export type Reach = 'public' | 'allowed' | 'forbidden'
export type AddressRule = (address: string) => Reach

type Address = ReturnType<typeof ipaddr.parse>
type Range = ReturnType<typeof ipaddr.parseCIDR>

/** What is given out to the public so far (IANA IPv6 Global Unicast Address Assignments). */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3')
/** IPv4 addresses as a network without IPv4 sees them (RFC 6052 §2.1). */
const TRANSLATED = ipaddr.parseCIDR('64:ff9b::/96')
/** What `true` allows. Link-local is left out: metadata services of clouds, and the credentials that they give, are there. */
const INSIDE: readonly string[] = ['loopback', 'private', 'uniqueLocal']

/** Where requests may go: to globally routable unicast addresses, and to private ones that the option names. */
export function addressRule(allowPrivateAddresses: boolean | readonly string[]): AddressRule {
  const ranges = typeof allowPrivateAddresses === 'boolean' ? [] : allowPrivateAddresses.map(parseRange)
  return (text) => {
    if (!ipaddr.isValid(text)) return 'forbidden'
    const address = unwrap(ipaddr.parse(text))
    if (isPublic(address)) return 'public'
    const named = ranges.some((range) => range[0].kind() === address.kind() && address.match(range))
    return named || (allowPrivateAddresses === true && INSIDE.includes(address.range()))
      ? 'allowed'
      : 'forbidden'
  }
}

function isPublic(address: Address): boolean {
  return address.range() === 'unicast' && (address.kind() === 'ipv4' || address.match(GLOBAL_IPV6))
}

/** The IPv4 address that is really reached through an IPv6 one. Of 6to4 and Teredo, which nobody needs any more, none is public. */
function unwrap(address: Address): Address {
  const wrapped = address.kind() === 'ipv6' && (address.range() === 'ipv4Mapped' || address.match(TRANSLATED))
  return wrapped ? ipaddr.fromByteArray(address.toByteArray().slice(-4)) : address
}

function parseRange(text: string, index: number): Range {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text)
  if (ipaddr.isValid(text)) {
    const address = unwrap(ipaddr.parse(text))
    return [address, address.kind() === 'ipv4' ? 32 : 128]
  }
  throw new ConfigurationError(
    `allowPrivateAddresses[${index}]`,
    `is '${text}', not an address`,
    "Write an IP address or a CIDR range: '127.0.0.1', '10.0.0.0/8', 'fd00::/8'.",
  )
}
