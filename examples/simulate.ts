// What would other limits have done? A log is replayed against three configurations, and the smallest limit is found that stops few.
// Run it: npx tsx examples/simulate.ts. It writes a page to look at where you name a file: npx tsx examples/simulate.ts simulation.html

import { writeFile } from 'node:fs/promises'
import { defineConfig } from 'bursar'
import { findLimit, renderPage, renderTable, sampleLog, simulate } from 'bursar/simulate'

// With a log of your own: readLog('calls.csv', { map: { time: 'at', userId: 'user', model: 'model', inputTokens: 'in', outputTokens: 'out' } }).
// From bursar's own ledger nothing needs to be mapped: readLog(() => bursar.tracker.entries()).
const log = sampleLog({ requests: 4_000, users: 100, days: 7, seed: 3 })

const today = defineConfig({
  tiers: { free: { daily: '0.05' }, pro: { daily: 1, monthly: 10 }, enterprise: { daily: 50 } }, // USD
  prices: { models: { 'gpt-4o': { input: 2.5, output: 10 }, 'gpt-4o-mini': { input: 0.15, output: 0.6 }, 'claude-sonnet-4-5': { input: 3, output: 15 } } }, // a million tokens
  ladder: { 'gpt-4o': 'gpt-4o-mini' },
})

const simulation = await simulate({
  log,
  candidates: {
    today,
    'cheaper models first': { ...today, policies: ['graceful'] },
    'twice as much': { ...today, tiers: { ...today.tiers, free: { daily: '0.10' } } },
  },
})
console.log(renderTable(simulation))

const target = { blockedUsersPct: 1, tier: 'free' }
const found = await findLimit({ log, config: today, vary: 'tiers.free.daily', target, low: '0.01', high: 5, step: '0.01' })
console.log(found.message)

const [page] = process.argv.slice(2)
if (page !== undefined) {
  await writeFile(page, await renderPage(simulation, { title: 'The free tier' }))
  console.log(`look at ${page}`)
}
