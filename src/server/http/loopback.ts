// A server without keys trusts whoever reaches it: only this machine may, and no page in a browser of it may use that. Decides which hosts are
// this machine, and which requests come from somewhere else nevertheless. Pure.

import { isIPv4 } from 'node:net'

/** True for an address, or a name, by which this machine alone is reached: 127.0.0.0/8, ::1, localhost. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'))
}

/** What of a request says where it comes from. */
export interface Origins {
  readonly method: string
  /** The value of a header field, by its name in small letters. */
  header(name: string): string | undefined
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])
const FROM_PROXY = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via']

/**
 * Why a server without keys must refuse a request; `undefined` where it need not. A name that somebody else's name server has turned to this
 * machine stands in `Host`; a page of another origin that changes something says so in `Origin` or `Sec-Fetch-Site`; a proxy brings
 * requests of anybody.
 */
export function strangeness({ method, header }: Origins): string | undefined {
  const host = header('host') ?? ''
  if (!isLoopback(host.replace(/:\d+$/, ''))) return 'host: is no name of this machine. Ask for localhost or 127.0.0.1'
  if (FROM_PROXY.some((name) => header(name) !== undefined)) return 'the request comes through a proxy, and may be of anybody'
  if (SAFE_METHODS.has(method)) return undefined
  const site = header('sec-fetch-site')
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'the request comes from a page of another origin'
  const origin = header('origin')
  return origin === undefined || origin === `http://${host}` ? undefined : 'the request comes from a page of another origin'
}
