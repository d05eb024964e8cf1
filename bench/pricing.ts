// How much faster a settled call is priced than by genai-prices: the same models and usages, interleaved in one process. What is measured
// is the build in dist/, or in `--dist <dir>`. `npm run bench:prices`

import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { calcPrice } from '@pydantic/genai-prices'
import { DEFAULT_BUILD } from './package-under-test.js'
import { printTable } from './table.js'

const ROUNDS = 15
const CALLS = 40_000
const AT = new Date('2026-06-01T12:00:00Z')

const { values: options } = parseArgs({ options: { dist: { type: 'string', default: DEFAULT_BUILD } } })
const { priceBook } = (await import(pathToFileURL(join(resolve(options.dist), 'src/prices/index.js')).href)) as typeof import('../src/prices/index.js')
const book = priceBook()

const models = [
  { provider: 'openai', model: 'gpt-4o' },
  { provider: 'openai', model: 'gpt-4o-mini-2024-07-18' },
  { provider: 'anthropic', model: 'claude-sonnet-4-5' },
  { provider: 'google', model: 'gemini-2.5-flash' },
  { provider: 'deepseek', model: 'deepseek-chat' },
  { provider: 'openrouter', model: 'openai/gpt-4o' },
]
const usages = Array.from({ length: 512 }, (_, index) => {
  const { provider, model } = models[index % models.length]!
  const [inputTokens, cachedInputTokens, outputTokens] = [500 + ((index * 7_919) % 9_000), (index * 127) % 500, (index * 31) % 900]
  return {
    query: { model, provider, at: AT.getTime() },
    usage: { inputTokens, cachedInputTokens, outputTokens },
    theirs: { input_tokens: inputTokens, cache_read_tokens: cachedInputTokens, output_tokens: outputTokens },
  }
})

type Call = (typeof usages)[number]
const contestants: readonly { readonly name: string; price(call: Call): number }[] = [
  { name: 'bursar: book.priceOf(query).costOf(usage)', price: ({ query, usage }) => book.priceOf(query).costOf(usage) },
  { name: 'genai-prices: calcPrice with providerId', price: ({ query, theirs }) => calcPrice(theirs, query.model, { providerId: query.provider, timestamp: AT })!.total_price * 1e8 },
]

for (const call of usages) {
  const [ours, theirs] = contestants.map(({ price }) => price(call)) as [number, number]
  if (Math.abs(ours - theirs) > 1 + theirs * 1e-9) throw new Error(`${call.query.model}: ${ours} and ${theirs} microcents`)
}

// Summed, so that no price goes unused.
let total = 0
for (const { price } of contestants) nanosecondsACall(price, CALLS)
const times = contestants.map((): number[] => [])
for (let round = 0; round < ROUNDS; round += 1) {
  const order = round % 2 === 0 ? [0, 1] : [1, 0]
  for (const index of order) times[index]!.push(nanosecondsACall(contestants[index]!.price, CALLS))
}

const ratios = times[1]!.map((theirs, round) => theirs / times[0]![round]!)
console.log(`pricing a settled call, Node ${process.version}: ${models.length} models, ${usages.length} usages, ${ROUNDS} interleaved rounds of ${CALLS} calls each, medians`)
if (!(total > 0)) throw new Error('nothing was priced')
printTable(['contestant', 'ns a call', 'bursar is × faster'], contestants.map(({ name }, index) => [name, median(times[index]!).toFixed(0), index === 0 ? '' : `${median(ratios).toFixed(1)} (${Math.min(...ratios).toFixed(1)} to ${Math.max(...ratios).toFixed(1)})`]), 1)

function nanosecondsACall(price: (call: Call) => number, calls: number): number {
  const start = performance.now()
  for (let index = 0; index < calls; index += 1) total += price(usages[index % usages.length]!)
  return ((performance.now() - start) / calls) * 1_000_000
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!
}
