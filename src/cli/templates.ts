// The configurations that `bursar init` writes. A test loads and runs both.

/** With everything that is asked for most, and what it means. */
export const MODULE_CONFIGURATION = `// What the bursar command and your application share. In the application:
//   import { Bursar } from 'bursar'
//   import config from './bursar.config.mjs'
//   const bursar = new Bursar(config())

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'bursar'
import { priceBook } from 'bursar/prices'
import { sqliteStore } from 'bursar/sqlite'

// The command asks without a store where it needs none, or checks first whether all the rest is right.
export default ({ opensStore = true } = {}) => defineConfig({
  // What each user of a tier may spend, in USD: numbers, or exact decimal strings.
  // Windows: daily, weekly, monthly, total, and rolling: { '5h': 0.5, '1m': { requests: 20 } }.
  tiers: {
    free: { daily: '0.10' },
    pro: { daily: 1, weekly: 5, monthly: 20 },
    enterprise: { daily: 50, monthly: 1000 },
  },

  // The tier of users for whom nobody has said another.
  defaultTier: 'free',

  // Who judges: 'strict' (warn at 80 %, block at 100 %), 'graceful' (a cheaper model from 90 % on), or 'tier-based'.
  policies: ['strict'],

  // A cap on everybody together. Others: scopes: { tenant: { acme: { monthly: 500 } }, team: { search: { daily: 40 } } }.
  global: { monthly: 5000 },

  // For each model the next cheaper one.
  ladder: { 'gpt-4o': 'gpt-4o-mini' },

  // What tokens cost: the catalog that bursar brings along. Your own: { models: { 'my-model': { input: 0.5, output: 1.5 } } } (USD per million).
  prices: priceBook(),

  // Where calendar days, weeks and months begin.
  timeZone: 'UTC',
  weekStartsOn: 1,

  // Where the money is counted. One host: a file. Several: redisStore({ url: process.env.REDIS_URL }) of 'bursar/redis'.
  // On Node before 22.13 a file needs the package @photostructure/sqlite.
  // It lies beside this file, wherever application and command are started.
  store: opensStore ? sqliteStore({ path: fileURLToPath(new URL('./bursar.db', import.meta.url)) }) : undefined,

  // For 'bursar serve'. It is no option of new Bursar(), nor is stripe: const { server, stripe, ...budgets } = config()
  // server: { port: 8787, adminKey: process.env.BURSAR_ADMIN_KEY, rateLimit: { perSecond: 500, burst: 1000 } },

  // Tiers from Stripe, for 'bursar stripe sync'; with webhookSecrets the server takes its events at /webhooks/stripe.
  // stripe: {
  //   secretKey: process.env.STRIPE_SECRET_KEY,
  //   webhookSecrets: process.env.STRIPE_WEBHOOK_SECRET,
  //   mapper: { tiers: { free: { budget: { daily: '0.10' } }, pro: { prices: ['price_…'], budget: { daily: 1 } } }, fallbackTier: 'free' },
  // },
})
`

/** What can be said in JSON. */
export const JSON_CONFIGURATION = `${JSON.stringify(
  {
    store: 'sqlite:./bursar.db',
    tiers: { free: { daily: '0.10' }, pro: { daily: 1, weekly: 5, monthly: 20 }, enterprise: { daily: 50, monthly: 1000 } },
    defaultTier: 'free',
    policies: ['strict'],
    global: { monthly: 5000 },
    ladder: { 'gpt-4o': 'gpt-4o-mini' },
    prices: 'catalog',
    timeZone: 'UTC',
    weekStartsOn: 1,
  },
  undefined,
  2,
)}\n`
