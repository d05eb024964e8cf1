// A process that settles while its store is away, says so once the settle has resolved, and waits to be killed.

import { FickleStore } from './fickle-store.js'
import { Bursar, memoryStore } from '../../../src/index.js'
import { allowedOf } from '../setting.js'

const [path = '', count = '1'] = process.argv.slice(2)
const fickle = new FickleStore(memoryStore())
const bursar = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', store: fickle.store, storeTimeout: '50ms', settleQueue: { path }, scopes: { team: { search: { monthly: 50, timeZone: 'Europe/Berlin' } } } })
const decisions = []
for (let call = 0; call < Number(count); call += 1) decisions.push(allowedOf(await bursar.check({ userId: 'ada', estimatedCost: 1, model: 'gpt-4o', scopes: { team: 'search' }, metadata: { call } })))
fickle.mood = 'hangs'
for (const decision of decisions) {
  const settled = await decision.settle({ cost: 0.5, tokens: 7 })
  process.stdout.write(`${JSON.stringify({ id: decision.id, queued: settled.queued })}\n`)
}
setInterval(() => {}, 1_000)
