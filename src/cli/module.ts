// A configuration that is code: run once without its store, so that what is wrong with it is known before anything is opened, then with it.
// Decides what is said of modules that cannot be run; what they say is the configuration's to judge.

import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { InvalidConfigError, isBursarError } from '../errors/index.js'

/** What a module that exports a function is given. */
export interface ModuleAsked {
  /** False where only budgets, prices and the like are wanted: a store need not be opened. */
  readonly opensStore: boolean
}

const NEEDS_OTHER_NODE = 'This Node cannot load TypeScript. Use Node 22.18 or later, run the command with tsx (npx tsx node_modules/bursar/dist/src/cli/main.js, with "type": "module" in package.json), or write a bursar.config.mjs'

/** A module that was loaded, and what can be asked of it. */
export class ConfigurationModule {
  readonly file: string
  readonly #exported: unknown

  private constructor(file: string, exported: unknown) {
    this.file = file
    this.#exported = exported
  }

  /** Loads a module. Throws `InvalidConfigError`, with its path, for one that cannot be loaded. */
  static async load(file: string): Promise<ConfigurationModule> {
    try {
      return new ConfigurationModule(file, ((await import(pathToFileURL(file).href)) as { readonly default?: unknown }).default)
    } catch (cause) {
      throw failed(file, cause)
    }
  }

  /** True where it can be asked without its store being opened. */
  get isFunction(): boolean {
    return typeof this.#exported === 'function'
  }

  /** What it says. Throws `InvalidConfigError` where it fails or says nothing. */
  async ask(asked: ModuleAsked): Promise<unknown> {
    let written: unknown
    try {
      written = this.isFunction ? await (this.#exported as (asked: ModuleAsked) => unknown)(asked) : await this.#exported
    } catch (cause) {
      throw failed(this.file, cause)
    }
    if (written === undefined) throw new InvalidConfigError(`${this.file}: has no default export, or one that gives nothing. Write: export default { tiers: { … }, store: … }.`)
    return written
  }
}

function failed(file: string, cause: unknown): Error {
  if (isBursarError(cause)) return cause as Error
  const { code, message = String(cause) } = (cause ?? {}) as { readonly code?: unknown; readonly message?: string }
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') return new InvalidConfigError(`${file}: cannot be loaded. ${NEEDS_OTHER_NODE}.`, { cause })
  return new InvalidConfigError(`${file}: cannot be loaded: ${message}`, { cause })
}

/** The files in folders, by name. None of them is opened: that would end the locks that SQLite has on it in this process. */
export function filesIn(folders: readonly string[]): ReadonlySet<string> {
  return new Set([...new Set(folders)].flatMap((folder) => readdirSync(folder).map((name) => join(folder, name))))
}

/** The first database that was made between two looks at the same folders. */
export function databaseMade(before: ReadonlySet<string>, after: ReadonlySet<string>): string | undefined {
  const made = [...after].filter((path) => !before.has(path))
  return made.find((path) => made.includes(`${path}-wal`)) ?? made.find((path) => /\.(db|sqlite3?)$/.test(path))
}

/** The folder of another copy of the package that a file in `folder` imports; undefined where that is this one, or none. */
export function otherCopyFor(folder: string): string | undefined {
  const own = packageAbove(dirname(fileURLToPath(import.meta.url)))
  for (let at = folder; ; at = dirname(at)) {
    const copy = join(at, 'node_modules/bursar')
    if (existsSync(join(copy, 'package.json'))) return realpathSync(copy) === own ? undefined : realpathSync(copy)
    if (dirname(at) === at) return undefined
  }
}

function packageAbove(folder: string): string | undefined {
  for (let at = folder; dirname(at) !== at; at = dirname(at)) {
    const path = join(at, 'package.json')
    if (existsSync(path) && (JSON.parse(readFileSync(path, 'utf8')) as { readonly name?: string }).name === 'bursar') return realpathSync(at)
  }
  return undefined
}
