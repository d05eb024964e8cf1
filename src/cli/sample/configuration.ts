// The configuration of `bursar serve --sample`, and its store: a file that is filled once, when it is made.

import { existsSync, linkSync, rmSync } from 'node:fs'
import type { BursarConfig } from '../../config.js'
import { InvalidConfigError } from '../../errors/index.js'
import type { Configuration } from '../configuration.js'
import { assertThere, parsePlace } from '../places.js'
import type { Run } from '../run.js'
import { fillSample } from './traffic.js'

const DEFAULT_STORE = 'sqlite:./bursar-sample.db'

/** Tiers, tenants and caps of a small business; what tokens cost is the catalog's. */
const SAMPLE: BursarConfig<'free' | 'pro' | 'enterprise', 'tenant'> = {
  tiers: {
    free: { daily: '0.25', monthly: 3, rolling: { '1m': { requests: 30 } } },
    pro: { daily: 2, monthly: 30 },
    enterprise: { daily: 12, monthly: 200 },
  },
  defaultTier: 'free',
  policies: ['graceful'],
  global: { daily: 15, monthly: 90 },
  scopes: { tenant: { acme: { monthly: 60 }, globex: { monthly: 25 }, initech: { monthly: 6 } } },
  ladder: { 'gpt-4o': 'gpt-4o-mini', 'claude-sonnet-4-5': 'claude-haiku-4-5' },
  // As many as the sample has that say something.
  decisionLog: { keep: 'all', max: 2_000 },
}

/**
 * The configuration to try things on, with a store in `--store` (default `sqlite:./bursar-sample.db`): what the environment names is no place for made-up
 * traffic. A file that is not there is made, with traffic of the last 14 days; one that is there stays as it is. Throws `InvalidConfigError` for a store that is no file, and where --config is given too.
 */
export async function sampleConfiguration(run: Run): Promise<Configuration> {
  const { common, io, terminal } = run
  if (common.config !== undefined) throw new InvalidConfigError('--sample: has a configuration of its own, and --config is given too. Give one of them.')
  const text = common.store ?? DEFAULT_STORE
  run.secrets.address(text)
  const place = parsePlace(text, '--store', 'store', io.cwd)
  if (place.kind !== 'sqlite') throw new InvalidConfigError(`--store: a sample is kept in a file of its own. Give sqlite:./bursar-sample.db, or leave --sample out.`)
  assertThere(place, '--store', true)
  for (const name of ['BURSAR_STORE', 'BURSAR_LEDGER']) if ((io.env[name] ?? '') !== '') terminal.complain(`${name} is not used: a sample has a store of its own.`)
  const { priceBook } = await import('../../prices/index.js')
  const config = { ...SAMPLE, prices: priceBook() } as unknown as BursarConfig
  if (!existsSync(place.path)) {
    assertNothingBeside(place.path)
    await fill(config, place.path, run)
  }
  return { file: undefined, folder: io.cwd, config, store: `sqlite:${place.path}`, ledger: undefined, stripe: undefined, server: {}, madeFile: undefined }
}

/** Under another name until it is whole: what was interrupted is not taken for a sample. */
async function fill(config: BursarConfig, path: string, { io, terminal }: Run): Promise<void> {
  const unfinished = `${path}.${crypto.randomUUID()}.unfinished`
  try {
    const begun = (): void => terminal.say(`${path} is filled with 14 days of made-up traffic.`)
    await fillSample({ config, path: unfinished, now: io.clock(), begun, signal: io.signal })
    assertNothingBeside(path)
    publish(unfinished, path)
  } finally {
    rmSync(unfinished, { force: true })
  }
}

/** Never in the place of a file: another server may have been quicker, and money is counted in its sample by now. */
function publish(unfinished: string, path: string): void {
  try {
    linkSync(unfinished, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Throws `InvalidConfigError` for what a file that was removed has left: it would be read as the newest of the one that is made. */
function assertNothingBeside(path: string): void {
  const left = ['-wal', '-journal'].map((suffix) => `${path}${suffix}`).find((each) => existsSync(each) && !existsSync(path))
  if (left !== undefined) throw new InvalidConfigError(`--sample: ${left} is of a file that was removed. Remove it too, or give another --store.`)
}
