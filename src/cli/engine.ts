// What commands work on: an engine on the configured store, or a ledger that is read by itself. Opened when all options are known to be
// right, and closed when the command is over.

import { Bursar } from '../bursar.js'
import { InvalidConfigError } from '../errors/index.js'
import type { EntrySource } from '../ledger/index.js'
import type { Store } from '../store/index.js'
import type { Configuration } from './configuration.js'
import { assertThere, openLedger, openStore, parsePlace, type Place } from './places.js'
import type { Run } from './run.js'

/** An engine whose tiers and groups nobody knows when this is compiled. */
export type Engine = Bursar<string, string>

/** Any user will do to ask whether a store answers. */
const NOBODY = 'nobody'

interface OpenOptions {
  /** For commands that write: a file that is not there is made. */
  readonly mayCreate?: boolean | undefined
}

/** Opens the engine and its store. Throws `InvalidConfigError` where no store is configured: this process has nothing to tell of another one's memory. */
export async function openEngine(configuration: Configuration, run: Run, options: OpenOptions = {}): Promise<{ readonly engine: Engine; readonly store: Store }> {
  const store = await storeOf(configuration, run, options)
  return { engine: engineOn(configuration, store, run), store }
}

/** Opens the ledger that is read: `--ledger`, else the store's, else the configured one. */
export async function openSource(configuration: Configuration, run: Run): Promise<EntrySource> {
  const { ledger } = run.common
  if (ledger !== undefined) {
    if (run.common.store !== undefined) throw new InvalidConfigError('--ledger: and --store are both given. Give the one that is to be read: a store has its ledger.')
    return openLedger(placeOf(ledger, '--ledger', 'ledger', run.io.cwd, run, {}), run)
  }
  if (run.common.store === undefined && configuration.store === undefined && configuration.ledger !== undefined) return configuredLedger(configuration, configuration.ledger, run, {})
  const store = await storeOf(configuration, run, {})
  if (store.shared) {
    // The engine gives up on a store that does not answer; its ledger alone would wait for it.
    await engineOn(configuration, store, run).tracker.getUserTier(NOBODY)
    return store.ledger
  }
  run.closeLater(() => store.close())
  return store.ledger
}

/** An engine on a store, closed with it when the command is over. */
function engineOn(configuration: Configuration, store: Store, run: Run): Engine {
  // A queue's file belongs to the application that writes it, and its logger may write where data goes.
  const { settleQueue: _queue, logger: _logger, verbose: _verbose, clock = run.io.clock, ...config } = configuration.config
  try {
    const engine = new Bursar<string, string>({ ...config, clock, store, logger: { debug: () => {}, warn: (...words: unknown[]) => run.terminal.complain(words.filter((word) => typeof word === 'string').join(' ')) } })
    run.closeLater(() => engine.close())
    // Holds of other processes that are due: whoever asks next finds them ended, and is told. It is none of this command's business.
    engine.on('hold-expired', () => {})
    return engine
  } catch (error) {
    run.closeLater(() => store.close())
    throw error
  }
}

async function storeOf(configuration: Configuration, run: Run, options: OpenOptions): Promise<Store> {
  const { folder } = configuration
  const { common } = run
  const given = common.store ?? configuration.store
  if (given === undefined) {
    const where = configuration.file === undefined ? `there is no configuration in ${folder}` : `${configuration.file} names none, and the memory of another process cannot be read`
    throw new InvalidConfigError(`store: ${where}. Give --store sqlite:./bursar.db (or redis://…), or name it in the configuration; "bursar init" writes one.`)
  }
  if (typeof given !== 'string') {
    if (configuration.ledger !== undefined || common.ledger !== undefined) {
      run.closeLater(() => given.close())
      throw new InvalidConfigError(`${common.ledger === undefined ? 'config.ledger' : '--ledger'}: the store was made by the configuration, and has its ledger. Give the ledger to the store as its sink.`)
    }
    return given
  }
  const isFlag = common.store !== undefined
  const place = placeOf(given, isFlag ? '--store' : 'config.store', 'store', isFlag ? run.io.cwd : folder, run, options)
  const ledger = common.ledger ?? (isFlag ? undefined : configuration.ledger)
  if (ledger === undefined) return openStore(place)
  if (place.kind === 'sqlite') throw new InvalidConfigError(`${common.ledger === undefined ? 'config.ledger' : '--ledger'}: a SQLite store keeps its own ledger. Leave it out, or read that ledger by itself.`)
  const sink = common.ledger === undefined ? await configuredLedger(configuration, ledger, run, { mayCreate: true }) : await openLedger(placeOf(common.ledger, '--ledger', 'ledger', run.io.cwd, run, { mayCreate: true }), run)
  return openStore(place, sink)
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
