// Where the budgets of one run are: a data set that nobody else uses, made at the start and removed at the end. It touches no file
// and no key that it has not made.

import { memoryStore, type Store } from 'bursar'
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import type { StoreChoice } from './arguments.js'
import { Complaint, lineOf } from './complaint.js'

/** A data set, as any process can open it. */
export type StoreAddress =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'redis'; readonly url: string; readonly prefix: string }

/** A data set that was made for this run. Disposing of it removes the data. */
export interface DataSet extends AsyncDisposable {
  readonly address: StoreAddress
  /** Where it is, in words. */
  readonly where: string
}

const CONNECT_TIMEOUT_MS = 5_000
const KEYS_AT_ONCE = 1_000

/** Makes a data set. Throws a `Complaint` where the store is away, or where the file is somebody's already. */
export async function makeDataSet(store: StoreChoice, keep: boolean): Promise<DataSet> {
  const afterwards = keep ? 'kept at the end' : 'removed at the end'
  const removedBy = (remove: () => unknown) => ({ [Symbol.asyncDispose]: async () => void (keep || (await remove())) })
  if (store.kind === 'memory') return { address: store, where: 'in the memory of this process', ...removedBy(() => {}) }
  if (store.kind === 'sqlite') {
    const path = resolve(store.path)
    claim(path, store.path)
    const where = `in the SQLite file ${store.path}, ${afterwards}`
    return { address: { kind: 'sqlite', path }, where, ...removedBy(() => removeFile(path)) }
  }
  const { url } = store
  const prefix = `bursar-demo-${randomBytes(6).toString('hex')}`
  await withRedis(url, (client) => client.call('PING'))
  const where = `in Redis at ${new URL(url).host}, under the prefix ${prefix}, ${afterwards}`
  return { address: { kind: 'redis', url, prefix }, where, ...removedBy(() => removeKeys(url, prefix)) }
}

/** Opens a data set in this process. Its driver is loaded only now: without it, the demo runs in memory. */
export async function openStore(address: StoreAddress): Promise<Store> {
  if (address.kind === 'memory') return memoryStore()
  if (address.kind === 'sqlite') return (await import('bursar/sqlite')).sqliteStore({ path: address.path })
  const { redisStore } = await import('bursar/redis')
  return redisStore({ url: address.url, prefix: address.prefix })
}

/** Makes the file, in one step with finding out that it was not there. */
function claim(path: string, shown: string): void {
  try {
    closeSync(openSync(path, 'wx'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') {
      const remedy = 'Remove it, or give another path.'
      throw new Complaint(`--store: ${shown} exists already, and the demo touches no file that it has not made. ${remedy}`, 2)
    }
    throw new Complaint(`--store: ${shown} cannot be made (${code ?? String(error)}). Create its folder, and make it writable.`)
  }
}

function removeFile(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
}

async function removeKeys(url: string, prefix: string): Promise<void> {
  const removing = withRedis(url, async (client) => {
    let cursor = '0'
    do {
      const [next, keys] = (await client.call('SCAN', cursor, 'MATCH', `*${prefix}*`, 'COUNT', KEYS_AT_ONCE)) as [string, string[]]
      if (keys.length > 0) await client.call('UNLINK', ...keys)
      cursor = next
    } while (cursor !== '0')
  })
  await removing.catch((error: unknown) => {
    throw new Complaint(`the keys under the prefix ${prefix} are left. ${lineOf(error)}`)
  })
}

interface Commands {
  call(command: string, ...args: (string | number)[]): Promise<unknown>
}

/** Does something on a connection of its own that never waits for a server to come back. */
async function withRedis(url: string, work: (client: Commands) => Promise<unknown>): Promise<void> {
  const { Redis } = await import('ioredis')
  const client = new Redis(url, { lazyConnect: true, connectTimeout: CONNECT_TIMEOUT_MS, retryStrategy: () => null })
  let reason: Error | undefined
  client.on('error', (error) => (reason = error))
  try {
    await client.connect()
    await work(client)
  } catch (error) {
    const { code, message } = (reason ?? error) as NodeJS.ErrnoException
    const remedy = 'Start one, or give the address of one that runs.'
    throw new Complaint(`--store: no Redis to work with at ${new URL(url).host} (${message || code}). ${remedy}`)
  } finally {
    client.disconnect()
  }
}
