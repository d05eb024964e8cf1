// What a simulation costs beside the engine that it drives: a million requests against three configurations, replayed from a log, and the same
// requests asked in a bare loop. `npm run bench:simulate`
//   --trace <csv>    TIMESTAMP, ContextTokens, GeneratedTokens (also BURSAR_TRACE); absent: the project's own sample
//   --repeat <n>     how often a trace is repeated over 30 days (default 52)     --requests <n>   how many a sample has (default 1,000,000)
//   --page <file>    writes the page                                             --dist <dir>     the build to measure

import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { DEFAULT_BUILD, loadPackage } from './package-under-test.js'
import { printTable } from './table.js'
import type { BursarConfig } from '../src/config.js'

const { values: options } = parseArgs({
  options: { trace: { type: 'string' }, repeat: { type: 'string', default: '52' }, requests: { type: 'string', default: '1000000' }, page: { type: 'string' }, dist: { type: 'string', default: DEFAULT_BUILD } },
})
const { Bursar, memoryStore } = await loadPackage(options.dist)
const { readLog, renderPage, renderTable, sampleLog, simulate } = (await import(pathToFileURL(join(resolve(options.dist), 'src/simulate/index.js')).href)) as typeof import('../src/simulate/index.js')

const prices = { models: { 'gpt-4o': { input: 2.5, output: 10 }, 'gpt-4o-mini': { input: 0.15, output: 0.6 }, 'claude-sonnet-4-5': { input: 3, output: 15 } } }
const tiers = { free: { daily: '0.10', monthly: 2 }, pro: { daily: 1, weekly: 5, monthly: 20 }, enterprise: { daily: 50, monthly: 1000 } }
const base: BursarConfig = { tiers, prices, ladder: { 'gpt-4o': 'gpt-4o-mini' } }
const candidates: Record<string, BursarConfig> = {
  strict: base,
  graceful: { ...base, policies: ['graceful'] },
  'by tier, free at 20 ct': { ...base, tiers: { ...tiers, free: { daily: '0.20', monthly: 4 } }, policies: ['tier-based'] },
}

const trace = options.trace ?? process.env['BURSAR_TRACE']
if (trace !== undefined && !existsSync(trace)) throw new Error(`${trace} is not there. Give the path of a trace, or none for a sample.`)
const log =
  trace === undefined
    ? sampleLog({ requests: Number(options.requests), users: 10_000, days: 30 })
    : readLog(trace, {
        map: { time: 'TIMESTAMP', inputTokens: 'ContextTokens', outputTokens: 'GeneratedTokens' },
        spread: { seed: 1, users: { count: 10_000, exponent: 1 }, tiers: { free: 0.8, pro: 0.17, enterprise: 0.03 }, models: { 'gpt-4o': 0.5, 'gpt-4o-mini': 0.5 }, repeat: { times: Number(options.repeat), over: '30d', starts: 'business-hours' } },
      })

const before = await engineAlone()
const startedAt = cpuMs()
const simulation = await simulate({ log, candidates })
const simulated = (simulation.speed.decisions * 1_000) / (cpuMs() - startedAt)
const after = await engineAlone()
const alone = (before + after) / 2

console.log(renderTable(simulation))
printTable(
  ['what', 'thousand decisions a second of processor time', '× the engine alone'],
  [
    ['the engine alone: check and settle, the same requests made beforehand', thousands(alone), '1.00'],
    ['simulate: the log read, three candidates, the report', thousands(simulated), (simulated / alone).toFixed(2)],
  ],
  1,
)
console.log(`the engine alone: ${thousands(before)} before and ${thousands(after)} after; ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB resident at the end`)
if (options.page !== undefined) {
  await writeFile(options.page, await renderPage(simulation, { title: 'Three ways to limit' }))
  console.log(`wrote ${options.page}`)
}

/** Of this process, all threads: unlike the time on the wall it hardly depends on who else is at work. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** Decisions a second of a bare loop: the requests are made beforehand, a part of the log at a time, and only checks and settles are timed. */
async function engineAlone(): Promise<number> {
  let now = 0
  const clock = (): number => now
  const engines = Object.values(candidates).map((config) => new Bursar({ ...config, store: memoryStore({ clock }), clock, decisionLog: { keep: 'none' } }))
  let elapsedMs = 0
  let decisions = 0
  for await (const batch of log.pass().batches()) {
    const calls = batch.flatMap((call) => (call.kind !== 'request' ? [] : [{ at: call.at, microcents: priceOf(call.model as string, call.usage?.inputTokens ?? 0, call.usage?.outputTokens ?? 0), request: { userId: call.userId, userTier: call.tier, model: call.model, inputTokens: call.inputTokens, maxOutputTokens: call.maxOutputTokens } }]))
    const startedAt = cpuMs()
    for (const { at, microcents, request } of calls) {
      now = at
      for (const engine of engines) {
        const decision = await engine.check(request)
        if (decision.allowed) await decision.settle({ cost: microcents / 1e8 })
      }
    }
    elapsedMs += cpuMs() - startedAt
    decisions += calls.length * engines.length
  }
  for (const engine of engines) await engine.close()
  return (decisions * 1_000) / elapsedMs
}

function priceOf(model: string, inputTokens: number, outputTokens: number): number {
  const { input, output } = prices.models[model as 'gpt-4o']
  return Math.ceil(inputTokens * input * 100 + outputTokens * output * 100)
}

function thousands(perSecond: number): string {
  return (perSecond / 1_000).toFixed(1)
}
