// From what a configuration says of Stripe to a sync, and to the endpoint for its events: a client is made of a key, a mapper of plain data.

import { InvalidConfigError } from '../errors/index.js'
import { StripeTierMapper, StripeTierSync, stripeWebhook, type StripeClient, type StripeTierMapperConfig, type StripeTierSyncConfig, type StripeWebhook, type StripeWebhookConfig } from '../stripe/index.js'
import type { Configuration } from './configuration.js'
import type { Engine } from './engine.js'
import type { Run } from './run.js'

type Written = Readonly<Record<string, unknown>>

/** What the endpoint for events is told, beside what a sync is. */
const WEBHOOK_OPTIONS: readonly string[] = ['webhookSecrets', 'tolerance', 'livemode', 'account', 'eventsKept']

/** The mapper that a configuration names, if any; made of plain data where it is that. Throws `InvalidConfigError` for a wrong one. */
export function mapperOf(stripe: unknown): StripeTierMapper | undefined {
  if (typeof stripe !== 'object' || stripe === null || isSync(stripe)) return undefined
  const { mapper } = stripe as Written
  return mapper === undefined || mapper instanceof StripeTierMapper ? mapper : new StripeTierMapper(mapper as StripeTierMapperConfig)
}

/** The sync that a configuration describes, on the tracker of an engine. Throws `InvalidConfigError` for what is none. */
export async function syncOf({ stripe, file }: Configuration, engine: Engine, run: Run): Promise<StripeTierSync> {
  if (stripe === undefined) throw new InvalidConfigError(`config.stripe: is missing${file === undefined ? '' : ` in ${file}`}. Give { secretKey, mapper: { tiers, fallbackTier } }, or in a module a client and a mapper.`)
  if (typeof stripe !== 'object' || stripe === null) throw new InvalidConfigError('config.stripe: is no object. Give { secretKey, mapper: { tiers, fallbackTier } }.')
  if (isSync(stripe)) return stripe
  return new StripeTierSync((await optionsOf(stripe as Written, engine, run)).sync)
}

/** The endpoint for Stripe's events, where the configuration has `webhookSecrets`. Throws `InvalidConfigError` for what cannot work. */
export async function webhookOf({ stripe }: Configuration, engine: Engine, run: Run): Promise<StripeWebhook | undefined> {
  if (typeof stripe !== 'object' || stripe === null || isSync(stripe) || (stripe as Written)['webhookSecrets'] === undefined) return undefined
  const { sync, webhook } = await optionsOf(stripe as Written, engine, run)
  const { webhookSecrets: secrets, ...rules } = webhook
  return stripeWebhook({ ...sync, ...rules, secrets } as unknown as StripeWebhookConfig)
}

async function optionsOf(stripe: Written, { tracker }: Engine, run: Run): Promise<{ readonly sync: StripeTierSyncConfig; readonly webhook: Written }> {
  const { secretKey, stripe: client, ...others } = stripe
  if ((secretKey === undefined) === (client === undefined)) throw new InvalidConfigError('config.stripe.secretKey: give either a secretKey, or in a module stripe: new Stripe(…).')
  const logger = { debug: () => {}, warn: (...words: unknown[]) => run.terminal.complain(words.map(String).join(' ')) }
  const isOfWebhook = ([name]: readonly [string, unknown]): boolean => WEBHOOK_OPTIONS.includes(name)
  const options = Object.fromEntries(Object.entries(others).filter((entry) => !isOfWebhook(entry)))
  const sync = { logger, ...options, mapper: mapperOf(stripe), stripe: client ?? (await clientWith(secretKey)), tracker } as unknown as StripeTierSyncConfig
  return { sync, webhook: Object.fromEntries(Object.entries(others).filter(isOfWebhook)) }
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
