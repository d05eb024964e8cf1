// Measures memory, one contestant in a process of its own: `node --expose-gc --import tsx bench/heap.ts <contestant> <users> <build>`
// prints the bytes that are still in use after every user has made one request and settled it. Ids are made as requests
// come and dropped afterwards: they count where a contestant keeps them. Counted are the heap and the array buffers beside it, where
// bursar has its counters.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { bareContestant, bursarContestant, llmBudgetContestant, rateLimiterContestant, spendGuardContestant, type Contestant, type Users } from './contestants.js'
import { DEFAULT_BUILD, loadPackage } from './package-under-test.js'

const WARM_UP_OPERATIONS = 2_000
const NOON = Date.UTC(2026, 4, 13, 12)
const PAST_RETENTION_MS = 61_000

const [name = 'bare', users = '100000', build = DEFAULT_BUILD] = process.argv.slice(2)
let now = NOON
let made = 0
const freshUsers: Users = { next: () => `user_${(made += 1)}` }

const openers: Readonly<Record<string, () => Contestant | Promise<Contestant>>> = {
  bare: () => bareContestant(freshUsers),
  // The bounded parts (the ledger's newest entries, the ids that are remembered) as small as they get: what is left is the users'.
  'bursar-users': async () => bursarContestant(name, await loadPackage(build), freshUsers, { clock: () => now, ledgerCapacity: 1, maxGeneratedIds: 1 }),
  // Everything at its default, and no time passes: the difference to the above is what the bounded parts take when full.
  'bursar-default': async () => bursarContestant(name, await loadPackage(build), freshUsers, { clock: () => now }),
  'rate-limiter-flexible': () => rateLimiterContestant(freshUsers, false),
  'llm-spend-guard': () => spendGuardContestant(freshUsers, false),
  'llm-budget': () => llmBudgetContestant(freshUsers),
}

const open = openers[name]
if (open === undefined) throw new Error(`${name}: no such contestant. One of ${Object.keys(openers).join(', ')}.`)
const contestant = await open()
await contestant.run(WARM_UP_OPERATIONS)
const before = await bytesInUse()
await contestant.run(Number(users))
if (name === 'bursar-users') {
  now += PAST_RETENTION_MS
  await contestant.run(1)
}
const after = await bytesInUse()
console.log(JSON.stringify({ name, users: Number(users), bytes: after - before }))
// Keeps the contestant reachable until here.
await contestant.run(0)
process.exit(0)

async function bytesInUse(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('Run with --expose-gc.')
  for (let pass = 0; pass < 4; pass += 1) {
    await nextTurn()
    globalThis.gc()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
