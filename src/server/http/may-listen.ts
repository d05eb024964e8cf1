// Whether a server may listen at an address: that it is one, and that nobody is let in who should not be. What can be said before anything is
// opened, and before there is a server.

import { InvalidConfigError } from '../../errors/index.js'
import { Listening } from './listening.js'
import { isLoopback } from './loopback.js'

/** Throws `InvalidConfigError` for what is no address or no port. */
export function assertAddress(host: string, port: number): void {
  if (typeof host !== 'string' || host === '') throw new InvalidConfigError(`host: ${JSON.stringify(host)} is no address. Give 127.0.0.1, or 0.0.0.0 for all addresses of this machine.`)
  if (!Number.isSafeInteger(port) || port < 0 || port > 65_535) throw new InvalidConfigError(`port: ${String(port)} is no port. Give a whole number from 0 to 65535; 0 takes one that is free.`)
}

/** Throws `InvalidConfigError` for an address that others reach, without a key. */
export function assertKeyed(host: string, hasKeys: boolean): void {
  if (hasKeys || isLoopback(host)) return
  throw new InvalidConfigError(`host: ${host} is reached by others, and there is no key: everybody could spend and change everything. Make one first (bursar keys create --name operator --role admin), set BURSAR_ADMIN_KEY, or listen on 127.0.0.1.`)
}

/** Rejects with `InvalidConfigError` where a server could not listen now: `hasKeys` false says that there can be no key. */
export async function assertMayListen(host: string, port: number, hasKeys: boolean): Promise<void> {
  assertAddress(host, port)
  assertKeyed(host, hasKeys)
  await Listening.assertFree(host, port)
}
