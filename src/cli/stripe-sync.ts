// From what a configuration says of Stripe to a sync: a client is made of a key, a mapper of plain data.

import { InvalidConfigError } from '../errors/index.js'
import { StripeTierMapper, StripeTierSync, type StripeClient, type StripeTierMapperConfig, type StripeTierSyncConfig } from '../stripe/index.js'
import type { Configuration } from './configuration.js'
import type { Engine } from './engine.js'
import type { Run } from './run.js'

type Written = Readonly<Record<string, unknown>>

/** The mapper that a configuration names, if any; made of plain data where it is that. Throws `InvalidConfigError` for a wrong one. */
export function mapperOf(stripe: unknown): StripeTierMapper | undefined {
  if (typeof stripe !== 'object' || stripe === null || isSync(stripe)) return undefined
  const { mapper } = stripe as Written
  return mapper === undefined || mapper instanceof StripeTierMapper ? mapper : new StripeTierMapper(mapper as StripeTierMapperConfig)
}

/** The sync that a configuration describes, on the tracker of an engine. Throws `InvalidConfigError` for what is none. */
export async function syncOf({ stripe, file }: Configuration, { tracker }: Engine, run: Run): Promise<StripeTierSync> {
  if (stripe === undefined) throw new InvalidConfigError(`config.stripe: is missing${file === undefined ? '' : ` in ${file}`}. Give { secretKey, mapper: { tiers, fallbackTier } }, or in a module a client and a mapper.`)
  if (typeof stripe !== 'object' || stripe === null) throw new InvalidConfigError('config.stripe: is no object. Give { secretKey, mapper: { tiers, fallbackTier } }.')
  if (isSync(stripe)) return stripe
  const { secretKey, stripe: client, ...options } = stripe as Written
  if ((secretKey === undefined) === (client === undefined)) throw new InvalidConfigError('config.stripe.secretKey: give either a secretKey, or in a module stripe: new Stripe(…).')
  const logger = { debug: () => {}, warn: (...words: unknown[]) => run.terminal.complain(words.map(String).join(' ')) }
  return new StripeTierSync({ logger, ...options, mapper: mapperOf(stripe), stripe: client ?? (await clientWith(secretKey)), tracker } as unknown as StripeTierSyncConfig)
}

async function clientWith(secretKey: unknown): Promise<StripeClient> {
  if (typeof secretKey !== 'string' || secretKey === '') throw new InvalidConfigError(`config.stripe.secretKey: is ${secretKey === '' ? 'empty' : `a ${typeof secretKey}`}, and no key. Give one such as "\${STRIPE_SECRET_KEY}".`)
  let made: typeof import('stripe')
  try {
    made = await import('stripe')
  } catch (cause) {
    throw new InvalidConfigError('config.stripe: the package "stripe" is not installed. Install it: npm install stripe.', { cause })
  }
  return new made.default(secretKey) as unknown as StripeClient
}

/** By what it does: it may come from another copy of the package. */
function isSync(stripe: object): stripe is StripeTierSync {
  return typeof (stripe as Partial<StripeTierSync>).syncAll === 'function' && typeof (stripe as Partial<StripeTierSync>).syncUser === 'function'
}
