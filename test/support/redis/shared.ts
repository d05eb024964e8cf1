// The one server that a test file uses where it needs no more than a Redis: REDIS_URL if that is set, else one for this process,
// started on first use and ended with the process.

import { Redis } from 'ioredis'
import { startRedis, type ClientOptions } from './server.js'

/** A server that others may use at the same time: keep to keys under a prefix of your own, never flush it. */
export interface SharedRedis {
  readonly url: string
  /** A new client; quit it when done. */
  client(options?: ClientOptions): Redis
  /** A prefix that nobody else uses. */
  prefix(): string
}

let shared: Promise<SharedRedis> | undefined

/** The shared server of this process. Rejects with what to install or to set if there is none. */
export function sharedRedis(): Promise<SharedRedis> {
  shared ??= open()
  return shared
}

async function open(): Promise<SharedRedis> {
  const url = process.env['REDIS_URL'] || (await startRedis()).url
  const probe = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
  probe.on('error', () => {})
  try {
    await probe.connect()
    await probe.ping()
  } catch (cause) {
    throw new Error(`REDIS_URL: no Redis answers at ${new URL(url).host}. Start it, or unset REDIS_URL to let the tests start their own.`, { cause })
  } finally {
    probe.disconnect()
  }
  let prefixes = 0
  return {
    url,
    client: (options = {}) => new Redis(url, options),
    prefix: () => `bursar-test-${process.pid}-${Math.trunc(performance.timeOrigin)}-${(prefixes += 1)}`,
  }
}
