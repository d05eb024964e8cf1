// The server that bench/soak.ts loads: the built one, on a SQLite file, that tells how much memory it has in use when it is asked.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DEFAULT_BUILD, loadPackage } from './package-under-test.js'

const at = (file: string): string => pathToFileURL(join(DEFAULT_BUILD, file)).href
const { createServer } = (await import(at('src/server/index.js'))) as typeof import('../src/server/index.js')
const { sqliteStore } = (await import(at('src/store/sqlite/index.js'))) as typeof import('../src/store/sqlite/index.js')
const { Bursar } = await loadPackage(DEFAULT_BUILD)
const bursar = new Bursar({ tiers: { pro: { daily: 100_000 } }, defaultTier: 'pro', global: { daily: 5_000_000 }, store: sqliteStore({ path: process.argv[2] as string }) })
const server = createServer({ bursar, rateLimit: null })
const { token } = await server.keys.create({ name: 'soak', roles: ['admin'] })
const { url } = await server.listen({ port: 0, ownsProcess: true })
process.on('message', (what) => {
  if (what === 'close') return void server.close().then(() => process.disconnect())
  for (let time = 0; time < 3; time += 1) (globalThis as { gc?: () => void }).gc?.()
  const { heapUsed, rss, external, arrayBuffers } = process.memoryUsage()
  process.send?.({ heapUsed, rss, external, arrayBuffers })
})
process.send?.({ url, token })
