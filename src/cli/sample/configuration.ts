// The configuration of `bursar serve --sample`, and its store: a file that is filled once, when it is made.

import { existsSync, rmSync } from 'node:fs'
import { rename } from 'node:fs/promises'
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
  decisionLog: { keep: 'all' },
}

/**
 * The configuration to try things on, with a store in `--store` (`BURSAR_STORE`, else `sqlite:./bursar-sample.db`). A file that is not there is made, with
 * traffic of the last 14 days; one that is there stays as it is. Throws `InvalidConfigError` for a store that is no file, and where --config is given too.
 */
export async function sampleConfiguration(run: Run): Promise<Configuration> {
  const { common, io, terminal } = run
  if (common.config !== undefined) throw new InvalidConfigError('--sample: has a configuration of its own, and --config is given too. Give one of them.')
  const [text, field] = common.store !== undefined ? [common.store, '--store'] : (io.env['BURSAR_STORE'] ?? '') !== '' ? [io.env['BURSAR_STORE'], 'BURSAR_STORE'] : [DEFAULT_STORE, '--store']
  run.secrets.address(text as string)
  const place = parsePlace(text, field as string, 'store', io.cwd)
  if (place.kind !== 'sqlite') throw new InvalidConfigError(`${field}: a sample is kept in a file of its own. Give sqlite:./bursar-sample.db, or leave --sample out.`)
  assertThere(place, field as string, true)
  const { priceBook } = await import('../../prices/index.js')
  const config = { ...SAMPLE, prices: priceBook() } as unknown as BursarConfig
  if (!existsSync(place.path)) {
    terminal.say(`${place.path} is filled with 14 days of made-up traffic.`)
    await fill(config, place.path, run)
  }
  return { file: undefined, folder: io.cwd, config, store: `sqlite:${place.path}`, ledger: undefined, stripe: undefined, server: {}, madeFile: undefined }
}

/** Under another name until it is whole: what was interrupted is not taken for a sample. */
async function fill(config: BursarConfig, path: string, { io }: Run): Promise<void> {
  const unfinished = `${path}.${crypto.randomUUID()}.unfinished`
  try {
    await fillSample({ config, path: unfinished, now: io.clock(), signal: io.signal })
    await rename(unfinished, path)
  } finally {
    rmSync(unfinished, { force: true })
  }
}
