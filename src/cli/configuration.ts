// The configuration file: which one, what stands in it, and that all of it is right before anything is opened. What it means is the
// engine's to say.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describeIssues } from '../budget/index.js'
import { bursarConfig, type BursarConfig } from '../config.js'
import { InvalidConfigError } from '../errors/index.js'
import { PriceBook } from '../pricing/index.js'
import type { Store } from '../store/index.js'
import { ConfigurationModule, databaseMade, filesIn, otherCopyFor } from './module.js'
import { parsePlace, type ClosableSink } from './places.js'
import type { Run } from './run.js'
import { parseServerSection, type ServerSection } from './server-section.js'
import { mapperOf } from './stripe-sync.js'

/** What a configuration says. */
export interface Configuration {
  /** The path of the file; absent where there is none. */
  readonly file: string | undefined
  /** Where relative paths in it begin. */
  readonly folder: string
  /** What a `Bursar` takes, without its store. */
  readonly config: Omit<BursarConfig, 'store'>
  /** An address, or a store that the module has made. */
  readonly store: string | Store | undefined
  readonly ledger: string | ClosableSink | undefined
  /** Options of a `StripeTierSync`, or one that the module has made. */
  readonly stripe: unknown
  /** What a server is told. */
  readonly server: ServerSection
  /** A database that was not there before the module was run. */
  readonly madeFile: string | undefined
}

interface ReadOptions {
  /** False for commands that can do without the store: a module is asked for what it says beside it. */
  readonly opensStore?: boolean | undefined
}

/** Looked for in the folder where the command was started, and in no other. */
export const NAMES = ['bursar.config.mjs', 'bursar.config.js', 'bursar.config.mts', 'bursar.config.ts', 'bursar.config.json']
/** What JSON says for the price book that bursar brings along. */
const CATALOG = 'catalog'
const VARIABLE = /\$\{([^}]*)\}/g

/**
 * Reads the configuration: `--config`, else the one in this folder, else an empty one. Its time zone is that of the run, where no other is
 * asked for. The environment's `BURSAR_STORE` and `BURSAR_LEDGER` stand before the
 * file's. Throws `InvalidConfigError` for a file that is not there or cannot be read, for two of them, and for what is wrong in it, with its path.
 */
export async function readConfiguration(run: Run, options: ReadOptions = {}): Promise<Configuration> {
  const file = fileOf(run)
  const [store, ledger] = [addressIn('BURSAR_STORE', 'store', run), addressIn('BURSAR_LEDGER', 'ledger', run)]
  if (file === undefined) return { file, folder: run.io.cwd, config: {}, store, ledger, stripe: undefined, server: {}, madeFile: undefined }
  const configuration = await configurationAt(file, run, store === undefined ? options : { opensStore: false })
  run.adoptZone(configuration.config.timeZone)
  if (store === undefined && ledger === undefined) return configuration
  closeUnused({ ...configuration, store: store === undefined ? undefined : configuration.store, ledger: ledger === undefined ? undefined : configuration.ledger }, run)
  return { ...configuration, store: store ?? configuration.store, ledger: ledger ?? configuration.ledger }
}

/** An address that the environment gives in place of the file's. Its path begins where the command was started. */
function addressIn(name: string, what: 'store' | 'ledger', { io, secrets }: Run): string | undefined {
  const text = io.env[name]
  if (text === undefined || text === '') return undefined
  secrets.address(text)
  const place = parsePlace(text, name, what, io.cwd)
  return place.kind === 'sqlite' ? `sqlite:${place.path}` : place.url
}

/** Reads a file as a candidate of a simulation: what a `Bursar` takes; where a store is named, it is left out. */
export async function readCandidate(path: string, field: string, run: Run): Promise<BursarConfig> {
  const file = run.path(path, field)
  if (!existsSync(file)) throw new InvalidConfigError(`${field}: there is no file ${file}. Give the path of a configuration (.json, .mjs or .js).`)
  const configuration = await configurationAt(file, run, { opensStore: false })
  closeUnused(configuration, run)
  return configuration.config
}

/** A module may have opened what nobody uses; nobody else will close it. */
export function closeUnused({ store, ledger }: Configuration, run: Run): void {
  if (typeof store === 'object') run.closeLater(() => store.close())
  if (typeof ledger === 'object') run.closeLater(() => ledger.close?.())
}

async function configurationAt(file: string, run: Run, { opensStore = true }: ReadOptions): Promise<Configuration> {
  if (file.endsWith('.json')) return configurationOf(readJson(file, run), file)
  const folders = [run.io.cwd, dirname(file)]
  const before = filesIn(folders)
  const module = await ConfigurationModule.load(file)
  const ask = async (asked: { readonly opensStore: boolean }): Promise<Configuration> => {
    const written = await module.ask(asked)
    rememberSecrets(written, run)
    try {
      return { ...(await configurationOf(written, file)), madeFile: databaseMade(before, filesIn(folders)) }
    } catch (error) {
      closeWritten(written, run)
      throw error
    }
  }
  const other = otherCopyFor(dirname(file))
  if (other !== undefined) run.terminal.complain(`${file} imports the bursar in ${other}, and this command is another copy. Run the one that is installed there: npx bursar.`)
  // At first without a store: of a configuration that is wrong, none is left behind. Nor is one opened in whose place --store names another.
  const checked = await ask({ opensStore: !module.isFunction && opensStore })
  const asksAgain = opensStore && module.isFunction && checked.store === undefined && run.common.store === undefined
  return asksAgain ? ask({ opensStore: true }) : checked
}

/** What a wrong configuration has opened already. */
function closeWritten(written: unknown, run: Run): void {
  if (typeof written !== 'object' || written === null) return
  for (const opened of [(written as { store?: unknown }).store, (written as { ledger?: unknown }).ledger]) {
    const { close } = (typeof opened === 'object' && opened !== null ? opened : {}) as { close?: unknown }
    if (typeof close === 'function') run.closeLater(() => close.call(opened) as unknown)
  }
}

function fileOf(run: Run): string | undefined {
  const { config } = run.common
  if (config !== undefined) {
    const file = run.path(config, '--config')
    if (!existsSync(file)) throw new InvalidConfigError(`--config: there is no file ${file}. Give the path of a bursar.config.mjs, .js or .json.`)
    if (!/\.(json|[mc]?[jt]s)$/.test(file)) throw new InvalidConfigError(`--config: ${file} is neither JSON nor a module (.mjs, .js, .mts, .ts). Give one of these.`)
    return file
  }
  const found = NAMES.filter((name) => existsSync(join(run.io.cwd, name)))
  if (found.length > 1) throw new InvalidConfigError(`${found.join(' and ')}: are both in ${run.io.cwd}. Keep one of them, or say which with --config.`)
  return found[0] === undefined ? undefined : join(run.io.cwd, found[0])
}

async function configurationOf(written: unknown, file: string): Promise<Configuration> {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) {
    throw new InvalidConfigError(`${file}: says ${written === null ? 'null' : Array.isArray(written) ? 'a list' : `a ${typeof written}`}, and no configuration. Give an object with tiers, store, ….`)
  }
  const { store, ledger, stripe, server, ...config } = written as Record<string, unknown>
  if (config['prices'] === CATALOG) config['prices'] = (await import('../prices/index.js')).priceBook()
  const { prices } = config
  if (typeof prices === 'object' && prices?.constructor.name === PriceBook.name && !(prices instanceof PriceBook)) {
    throw new InvalidConfigError(`${file}: config.prices: was made by another copy of bursar${copyText(file)}. Run the command of that copy, with npx bursar in its folder, or install one copy alone.`)
  }
  const parsed = bursarConfig.safeParse(config)
  if (!parsed.success) throw new InvalidConfigError(`${file}: ${describeIssues(parsed.error, 'config')}`)
  if (store !== undefined && typeof store !== 'string') {
    const made = bursarConfig.safeParse({ store })
    if (!made.success) throw new InvalidConfigError(`${file}: ${describeIssues(made.error, 'config')}`)
  }
  if (ledger !== undefined && typeof ledger !== 'string' && typeof (ledger as ClosableSink | null)?.entries !== 'function') {
    throw new InvalidConfigError(`${file}: config.ledger: is no ledger. Give 'sqlite:./ledger.db', 'postgres://…', or one that was made, such as sqliteLedger({ path }).`)
  }
  // Tiers that Stripe sells say what they allow: they need not be written twice.
  const mapper = mapperOf(stripe)
  const tiers = mapper !== undefined && config['tiers'] === undefined && config['userBudgets'] === undefined ? { tiers: mapper.tiers } : {}
  return { file, folder: dirname(file), config: { ...(config as BursarConfig), ...tiers }, store: store as string | Store | undefined, ledger: ledger as string | ClosableSink | undefined, stripe, server: parseServerSection(server, file), madeFile: undefined }
}

function copyText(file: string): string {
  const other = otherCopyFor(dirname(file))
  return other === undefined ? '' : ` (${other})`
}

function readJson(file: string, run: Run): unknown {
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8').replace(/^\ufeff/, ''))
  } catch (cause) {
    // What V8 says quotes the text, in which passwords may stand.
    const where = /(?:position \d+|line \d+ column \d+|end of JSON input)/i.exec(cause instanceof Error ? cause.message : '')?.[0]
    throw new InvalidConfigError(`${file}: ${cause instanceof SyntaxError ? `is no JSON${where === undefined ? '' : ` (${where})`}. Correct it, or write a bursar.config.mjs` : `cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown'}). Check that it is a file that you may read`}.`)
  }
  const filled = withVariables(parsed, '', file, run)
  rememberSecrets(filled, run)
  return filled
}

/** `${NAME}` in every string is the environment's. A missing variable is an error, and never an empty text. */
function withVariables(value: unknown, path: string, file: string, run: Run): unknown {
  const below = (key: string): string => (path === '' ? key : `${path}.${key}`)
  if (Array.isArray(value)) return value.map((each, index) => withVariables(each, below(String(index)), file, run))
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withVariables(each, below(key), file, run)]))
  if (typeof value !== 'string') return value
  return value.replace(VARIABLE, (_, name: string) => {
    const found = Object.hasOwn(run.io.env, name) ? run.io.env[name] : undefined
    if (found === undefined || found === '') throw new InvalidConfigError(`${file}: ${path}: the environment variable ${JSON.stringify(name)} is ${found === '' ? 'empty' : 'not set'}. Set it, or write the value.`)
    run.secrets.variable(name, found)
    return found
  })
}

function rememberSecrets(written: unknown, { secrets }: Run): void {
  if (typeof written !== 'object' || written === null) return
  const { store, ledger, stripe, server } = written as Record<string, unknown>
  const adminKey = (server as { readonly adminKey?: unknown } | null | undefined)?.adminKey
  if (typeof adminKey === 'string') secrets.add(adminKey)
  for (const address of [store, ledger]) if (typeof address === 'string') secrets.address(address)
  const secretKey = (stripe as { readonly secretKey?: unknown } | null | undefined)?.secretKey
  if (typeof secretKey === 'string') secrets.add(secretKey)
  const { webhookSecrets } = (typeof stripe === 'object' && stripe !== null ? stripe : {}) as { readonly webhookSecrets?: unknown }
  for (const secret of [webhookSecrets].flat()) if (typeof secret === 'string') secrets.add(secret)
}
