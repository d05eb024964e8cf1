// Which addresses a webhook may be sent to: those of the public internet. Whoever may make an endpoint must not reach through this server
// what stands in its network.

import type { LookupFunction } from 'node:net'
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { lookup as lookUp } from 'node:dns'

/** What a lookup gives: one address and its family. */
interface Found {
  readonly address: string
  readonly family: number
}

/** Looks up a name: as `dns.lookup` with `all` does. */
export type Resolve = (hostname: string, options: { readonly family?: number | 'IPv4' | 'IPv6' | undefined; readonly hints?: number | undefined; readonly all: true }, callback: (error: NodeJS.ErrnoException | null, addresses: Found[]) => void) => void

/** IPv4 that is not the public internet's (IANA, special-purpose addresses; multicast; reserved), and 168.63.129.16, behind which every virtual machine on Azure finds its host. */
const PRIVATE_4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['168.63.129.16', 32], ['169.254.0.0', 16], ['172.16.0.0', 12], ['192.0.0.0', 24], ['192.0.2.0', 24],
  ['192.31.196.0', 24], ['192.52.193.0', 24], ['192.88.99.0', 24], ['192.168.0.0', 16], ['192.175.48.0', 24], ['198.18.0.0', 15], ['198.51.100.0', 24], ['203.0.113.0', 24], ['224.0.0.0', 4], ['240.0.0.0', 4],
] // prettier-ignore
/** All public IPv6 is within this, */
const PUBLIC_6 = blockList([['2000::', 3]], 'ipv6')
/** but for special purposes (Teredo and others), documentation, and IPv4 in IPv6 (6to4). */
const PRIVATE_6 = blockList([['2001::', 23], ['2001:db8::', 32], ['2002::', 16], ['3fff::', 20]], 'ipv6')
const PRIVATE = blockList(PRIVATE_4, 'ipv4')

/** True for an address of the public internet. IPv4 that is written as IPv6 is none. */
export function isPublic(address: string): boolean {
  if (isIPv4(address)) return !PRIVATE.check(address, 'ipv4')
  return isIPv6(address) && PUBLIC_6.check(address, 'ipv6') && !PRIVATE_6.check(address, 'ipv6')
}

/** The address that stands in the place of a name in a URL, if one does: a lookup would never be asked. */
export function literalIn({ hostname }: URL): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return isIPv4(bare) || isIPv6(bare) ? bare : undefined
}

/** The name, or the address, is not of the public internet. */
export class PrivateAddressError extends Error {
  constructor() {
    super('is not an address of the public internet')
    this.name = 'PrivateAddressError'
  }
}

/** A lookup for a connection: what it finds is what is connected to, so that no second answer of a name server counts. Fails where any of it is private. */
export function publicLookup(resolve: Resolve = lookUp as Resolve): LookupFunction {
  return (hostname, { family, hints, all }, callback) => {
    resolve(hostname, { family, hints, all: true }, (error, addresses) => {
      const [first] = addresses ?? []
      if (error !== null) callback(error, '')
      else if (first === undefined || !addresses.every(({ address }) => isPublic(address))) callback(new PrivateAddressError(), '')
      else if (all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

function blockList(ranges: readonly (readonly [string, number])[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const [address, prefix] of ranges) list.addSubnet(address, prefix, family)
  return list
}
