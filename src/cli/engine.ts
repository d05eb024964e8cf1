// What commands work on: an engine on the configured store, or a ledger that is read by itself. Opened when all options are known to be
// right, and closed when the command is over.

import { Bursar } from '../bursar.js'
import type { Logger } from '../enforcement/index.js'
import { InvalidConfigError, isBursarError, StoreUnavailableError } from '../errors/index.js'
import { ALL_ENTRIES, pageOf, type EntrySource } from '../ledger/index.js'
import { writeEvents } from '../server/engine-log.js'
import type { ServerLog } from '../server/index.js'
import type { Store } from '../store/index.js'
import { assertLedgerThere, isEmpty } from './completeness.js'
import { closeUnused, type Configuration } from './configuration.js'
import { assertThere, openLedger, openStore, parsePlace, type ClosableSink, type Place } from './places.js'
import type { Run } from './run.js'
import { howToSend, settleFile, settlesLeft } from './settle-queue.js'

/** An engine whose tiers and groups nobody knows when this is compiled. */
export type Engine = Bursar<string, string>

/** Any user will do to ask whether a store answers. */
const NOBODY = 'nobody'

interface OpenOptions {
  /** For commands that write: a file that is not there is made. */
  readonly mayCreate?: boolean | undefined
  /** For what runs as an application does. */
  readonly service?: ServiceParts | undefined
}

/** What an engine of a server has beside its configuration. */
export interface ServiceParts {
  /** Where its warnings go. */
  readonly logger: Logger
  /** Where it is written what it announces of its store and of usage. */
  readonly log: ServerLog
  /** Its queue of settles is in a file of its own, where the configuration names none. */
  readonly port: number
}

/**
 * Opens the engine and its store. Throws `InvalidConfigError` where no store is configured: this process has nothing to tell of another one's
 * memory; and for a command that only reads where the configuration has made the store's file just now. Rejects with `StoreUnavailableError` where the store does not answer.
 */
export async function openEngine(configuration: Configuration, run: Run, options: OpenOptions = {}): Promise<{ readonly engine: Engine; readonly store: Store }> {
  const store = await storeOf(configuration, run, options)
  const engine = engineOn(configuration, store, run, options.service)
  await assertAnswers(engine, store, configuration, run)
  if (options.mayCreate !== true) await warnOfEmpty(store, run)
  return { engine, store }
}

/** Opens the ledger that is read: `--ledger`, else the store's, else the configured one. Rejects where its entries are kept elsewhere, and with what {@link openEngine} rejects with. */
export async function openSource(configuration: Configuration, run: Run): Promise<EntrySource> {
  const { ledger } = run.common
  if (ledger !== undefined && run.common.store !== undefined) throw new InvalidConfigError('--ledger: and --store are both given. Give the one that is to be read: a store has its ledger.')
  if (ledger !== undefined || (run.common.store === undefined && configuration.store === undefined && configuration.ledger !== undefined)) {
    if (typeof configuration.store === 'object') run.closeLater(() => (configuration.store as Store).close())
    if (ledger !== undefined && typeof configuration.ledger === 'object') run.closeLater(() => (configuration.ledger as ClosableSink).close?.())
    if (ledger === undefined) return answering(await configuredLedger(configuration, configuration.ledger as NonNullable<Configuration['ledger']>, run, {}), String(configuration.ledger), 'config.ledger')
    return answering(await openLedger(placeOf(ledger, '--ledger', 'ledger', run.io.cwd, run, {}), run), ledger, '--ledger')
  }
  const store = await storeOf(configuration, run, {})
  if (store.shared) await assertAnswers(engineOn(configuration, store, run), store, configuration, run)
  else run.closeLater(() => store.close())
  await assertLedgerThere(store)
  await warnOfEmpty(store, run)
  return store.ledger
}

/** The engine gives up on a store that does not answer; what is asked beside it would wait. */
async function assertAnswers(engine: Engine, { name }: Store, { store }: Configuration, { common }: Run): Promise<void> {
  try {
    await engine.tracker.getUserTier(NOBODY)
  } catch (error) {
    throw isBursarError(error) && name === 'redis' ? unanswered('store', name, common.store ?? store, common.store === undefined ? 'the configuration' : '--store', error) : error
  }
}

async function answering(ledger: EntrySource, address: string, field: string): Promise<EntrySource> {
  if (!address.startsWith('postgres')) return ledger
  try {
    await pageOf(ledger, ALL_ENTRIES, 1)
    return ledger
  } catch (error) {
    throw isBursarError(error) ? unanswered('ledger', 'postgres', address, field, error) : error
  }
}

function unanswered(what: string, name: string, address: unknown, field: string, error: Error): Error {
  if (!isBursarError(error) || error.code !== 'STORE_UNAVAILABLE') return error
  const { host = '' } = typeof address === 'string' && URL.canParse(address) ? new URL(address) : {}
  // Why, and not what became of a request: this was none.
  const why = error.message.replace(/ ?(?:Whether it took effect is unknown.*|Nothing was changed\.)$/s, '').replace(/^\w+: /, '').replace(/\.$/, '')
  const remedy = why.includes('. ') ? '' : ` Start it, or correct ${field}.`
  return new StoreUnavailableError(`${what}: ${name}${host === '' ? '' : ` at ${host}`} does not answer: ${why}.${remedy}`, { cause: error })
}

async function warnOfEmpty(store: Store, run: Run): Promise<void> {
  // Keys are made before the first request.
  for await (const _ of store.registry.list('api-key')) return
  if (await isEmpty({ ledger: store.ledger, users: () => store.users() })) run.terminal.complain(`The ${store.name} store is empty: nothing was ever counted in it. Is it the one that the application uses?`)
}

/** An engine on a store, closed with it when the command is over. */
function engineOn(configuration: Configuration, store: Store, run: Run, service?: ServiceParts): Engine {
  // A queue's file belongs to the application that writes it, and its logger may write where data goes.
  const { settleQueue: given, logger: _logger, verbose: _verbose, clock = run.io.clock, ...config } = configuration.config
  const complaining = { debug: () => {}, warn: (...words: unknown[]) => run.terminal.complain(words.filter((word) => typeof word === 'string').join(' ')) }
  try {
    const settleQueue = service === undefined || !store.shared ? undefined : { ...given, path: given?.path ?? ownFile(configuration, store, run, service) }
    const engine = new Bursar<string, string>({ ...config, ...(settleQueue !== undefined && { settleQueue }), clock, store, logger: service?.logger ?? complaining })
    // Before anything is awaited: what waits in the queue is sent from now on, and what the store refuses of it is said once.
    if (service !== undefined) writeEvents(engine, service.log)
    if (service !== undefined && settleQueue !== undefined) run.closeLater(() => tellOfSettles(settleQueue.path, given?.path === undefined, service))
    run.closeLater(() => engine.close())
    // Holds of other processes that are due: whoever asks next finds them ended, and is told. It is none of this command's business.
    engine.on('hold-expired', () => {})
    return engine
  } catch (error) {
    run.closeLater(() => store.close())
    throw error
  }
}

/** The file of a server for which none is configured; of others that may have settles in them, the log says so. */
function ownFile(configuration: Configuration, store: Store, run: Run, { logger, port }: ServiceParts): string {
  const { path, others } = settleFile(configuration.folder, port, addressOf(configuration, store, run))
  for (const other of others) logger.warn(howToSend(other))
  return path
}

/** The address of a store, or its name where it was made by a module. */
function addressOf({ store: configured, folder }: Configuration, { name }: Store, { common, io }: Run): string {
  const given = common.store ?? configured
  if (typeof given !== 'string') return name
  const place = parsePlace(given, 'store', 'store', common.store === undefined ? folder : io.cwd)
  return place.kind === 'sqlite' ? place.path : place.url
}

async function tellOfSettles(path: string, isOwn: boolean, { logger }: ServiceParts): Promise<void> {
  const left = await settlesLeft(path, isOwn)
  if (left > 0) logger.warn(`${left} ${left === 1 ? 'settle waits' : 'settles wait'} for the store in ${path}, and will be told to it by the next server that is started here, with the same store and port. Keep that file.`)
}

async function storeOf(configuration: Configuration, run: Run, options: OpenOptions): Promise<Store> {
  const { folder } = configuration
  const { common } = run
  const given = common.store ?? configuration.store
  // In its place stands another.
  if (common.store !== undefined) closeUnused(configuration, run)
  if (given === undefined) {
    const where = configuration.file === undefined ? `there is no configuration in ${folder}` : `${configuration.file} names none, and the memory of another process cannot be read`
    throw new InvalidConfigError(`store: ${where}. Give --store sqlite:./bursar.db (or redis://…), or name it in the configuration; "npx bursar init" writes one.`)
  }
  if (typeof given !== 'string') {
    if (configuration.madeFile !== undefined && options.mayCreate !== true) {
      run.closeLater(() => given.close())
      throw new InvalidConfigError(`store: ${configuration.madeFile} was not there, and the configuration has made it just now: an empty store would answer every question with nothing. Remove it, and write a path that does not depend on where the command is started: sqliteStore({ path: fileURLToPath(new URL('./bursar.db', import.meta.url)) }); or let the application make the file first.`)
    }
    if (configuration.ledger !== undefined || common.ledger !== undefined) {
      run.closeLater(() => given.close())
      throw new InvalidConfigError(`${common.ledger === undefined ? 'config.ledger' : '--ledger'}: the store was made by the configuration, and has its ledger. Give the ledger to the store as its sink.`)
    }
    return given
  }
  const isFlag = common.store !== undefined
  const place = placeOf(given, isFlag ? '--store' : 'config.store', 'store', isFlag ? run.io.cwd : folder, run, options)
  const ledger = common.ledger ?? (isFlag ? undefined : configuration.ledger)
  if (ledger === undefined) return openStore(place, run.io.clock)
  if (place.kind === 'sqlite') throw new InvalidConfigError(`${common.ledger === undefined ? 'config.ledger' : '--ledger'}: a SQLite store keeps its own ledger. Leave it out, or read that ledger by itself.`)
  const sink = common.ledger === undefined ? await configuredLedger(configuration, ledger, run, { mayCreate: true }) : await openLedger(placeOf(common.ledger, '--ledger', 'ledger', run.io.cwd, run, { mayCreate: true }), run)
  return openStore(place, run.io.clock, sink)
}

async function configuredLedger({ folder }: Configuration, ledger: NonNullable<Configuration['ledger']>, run: Run, options: OpenOptions): Promise<Awaited<ReturnType<typeof openLedger>>> {
  if (typeof ledger === 'string') return openLedger(placeOf(ledger, 'config.ledger', 'ledger', folder, run, options), run)
  run.closeLater(() => ledger.close?.())
  return ledger
}

function placeOf(text: string, field: string, what: 'store' | 'ledger', folder: string, run: Run, { mayCreate = false }: OpenOptions): Place {
  run.secrets.address(text)
  const place = parsePlace(text, field, what, folder)
  assertThere(place, field, mayCreate)
  return place
}
