// Loads a built bursar. The types come from the source, the code from a build: what is measured is what is shipped.

import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The root of the checkout. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The build that `npm run build` writes. */
export const DEFAULT_BUILD = join(ROOT, 'dist')

/** What the benchmarks use of the package. */
export interface PackageUnderTest extends Pick<typeof import('../src/index.js'), 'Bursar' | 'memoryStore'>, Pick<typeof import('../policies/index.js'), 'tierBasedEnforcement'> {}

/** Imports a build by its directory, which must lie inside the checkout so that its dependencies are found. */
export async function loadPackage(directory: string): Promise<PackageUnderTest> {
  const at = (file: string) => pathToFileURL(join(resolve(directory), file)).href
  const { Bursar, memoryStore } = (await import(at('src/index.js'))) as typeof import('../src/index.js')
  const { tierBasedEnforcement } = (await import(at('policies/index.js'))) as typeof import('../policies/index.js')
  return { Bursar, memoryStore, tierBasedEnforcement }
}

/** The Redis store of a build. */
export async function loadRedisStore(directory: string): Promise<Pick<typeof import('../src/store/redis/index.js'), 'redisStore'>> {
  return (await import(pathToFileURL(join(resolve(directory), 'src/store/redis/index.js')).href)) as typeof import('../src/store/redis/index.js')
}

/** The ledgers of a build, and what reads them. */
export async function loadLedgers(directory: string): Promise<
  Pick<typeof import('../src/store/sqlite/index.js'), 'sqliteLedger' | 'exportToSqlite'> &
    Pick<typeof import('../src/store/postgres/index.js'), 'postgresLedger'> &
    Pick<typeof import('../src/ledger/index.js'), 'toCsv' | 'toJsonLines' | 'writeFile'> &
    Pick<typeof import('../src/report/index.js'), 'Reports'>
> {
  const at = (file: string) => pathToFileURL(join(resolve(directory), file)).href
  const sqlite = (await import(at('src/store/sqlite/index.js'))) as typeof import('../src/store/sqlite/index.js')
  const { postgresLedger } = (await import(at('src/store/postgres/index.js'))) as typeof import('../src/store/postgres/index.js')
  const ledger = (await import(at('src/ledger/index.js'))) as typeof import('../src/ledger/index.js')
  const { Reports } = (await import(at('src/report/index.js'))) as typeof import('../src/report/index.js')
  return { ...sqlite, ...ledger, postgresLedger, Reports }
}
