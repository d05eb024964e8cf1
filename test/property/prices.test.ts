// PRICES: for every model of the catalog, at every time, a cost is the exact one, rounded up once, is what the catalog's own floats come
// to, and is never above what was estimated for it.

import { calcPrice, waitForUpdate, type ModelInfo, type ModelPrice as RawPrice, type Provider } from '@pydantic/genai-prices'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PriceBook, type CatalogEntry, type Price, type TokenKind, type Usage } from '../../src/pricing/index.js'
import { modelPrices } from '../../src/prices/model-prices.js'
import { assertProperty } from '../support/property.js'

/** What a token or a thing can be, without overlap: the keys of genai-prices that say its price, the first one that is there. */
interface Class {
  readonly keys: readonly string[]
  readonly per: bigint
  /** In which fields of a usage it counts, here and there. */
  readonly fields: readonly (keyof Usage)[]
  readonly theirs: readonly string[]
  readonly way?: 'in' | 'out'
  readonly kind?: TokenKind
}

const MILLION = 1_000_000n
const CLASSES: Readonly<Record<string, Class>> = {
  plain: { keys: ['input_mtok'], per: MILLION, fields: ['inputTokens'], theirs: ['input_tokens'], way: 'in' },
  cached: { keys: ['cache_read_mtok', 'input_mtok'], per: MILLION, fields: ['inputTokens', 'cachedInputTokens'], theirs: ['input_tokens', 'cache_read_tokens'], way: 'in' },
  written: { keys: ['cache_write_mtok', 'input_mtok'], per: MILLION, fields: ['inputTokens', 'cacheWriteTokens'], theirs: ['input_tokens', 'cache_write_tokens'], way: 'in', kind: 'cache-write' },
  written1h: { keys: ['cache_write_1h_mtok', 'cache_write_mtok', 'input_mtok'], per: MILLION, fields: ['inputTokens', 'cacheWriteTokens', 'cacheWrite1hTokens'], theirs: ['input_tokens', 'cache_write_tokens', 'cache_write_1h_tokens'], way: 'in', kind: 'cache-write-1h' },
  audio: { keys: ['input_audio_mtok', 'input_mtok'], per: MILLION, fields: ['inputTokens', 'inputAudioTokens'], theirs: ['input_tokens', 'input_audio_tokens'], way: 'in', kind: 'audio' },
  cachedAudio: { keys: ['cache_audio_read_mtok', 'input_audio_mtok', 'cache_read_mtok', 'input_mtok'], per: MILLION, fields: ['inputTokens', 'inputAudioTokens', 'cachedInputTokens', 'cachedInputAudioTokens'], theirs: ['input_tokens', 'input_audio_tokens', 'cache_read_tokens', 'cache_audio_read_tokens'], way: 'in', kind: 'audio' },
  image: { keys: ['input_image_mtok', 'input_mtok'], per: MILLION, fields: ['inputTokens', 'inputImageTokens'], theirs: ['input_tokens', 'input_image_tokens'], way: 'in', kind: 'image' },
  cachedImage: { keys: ['cache_image_read_mtok', 'input_image_mtok', 'cache_read_mtok', 'input_mtok'], per: MILLION, fields: ['inputTokens', 'inputImageTokens', 'cachedInputTokens', 'cachedInputImageTokens'], theirs: ['input_tokens', 'input_image_tokens', 'cache_read_tokens', 'cache_image_read_tokens'], way: 'in', kind: 'image' },
  video: { keys: ['input_video_mtok', 'input_mtok'], per: MILLION, fields: ['inputTokens', 'inputVideoTokens'], theirs: ['input_tokens', 'input_video_tokens'], way: 'in', kind: 'video' },
  text: { keys: ['output_mtok'], per: MILLION, fields: ['outputTokens'], theirs: ['output_tokens'], way: 'out' },
  reasoned: { keys: ['output_reasoning_mtok', 'output_mtok'], per: MILLION, fields: ['outputTokens', 'reasoningTokens'], theirs: ['output_tokens', 'output_reasoning_tokens'], way: 'out', kind: 'reasoning' },
  spoken: { keys: ['output_audio_mtok', 'output_mtok'], per: MILLION, fields: ['outputTokens', 'outputAudioTokens'], theirs: ['output_tokens', 'output_audio_tokens'], way: 'out', kind: 'audio' },
  drawn: { keys: ['output_image_mtok', 'output_mtok'], per: MILLION, fields: ['outputTokens', 'outputImageTokens'], theirs: ['output_tokens', 'output_image_tokens'], way: 'out', kind: 'image' },
  filmed: { keys: ['output_video_mtok', 'output_mtok'], per: MILLION, fields: ['outputTokens', 'outputVideoTokens'], theirs: ['output_tokens', 'output_video_tokens'], way: 'out', kind: 'video' },
  cited: { keys: ['output_citation_mtok', 'output_mtok'], per: MILLION, fields: ['outputTokens', 'citationTokens'], theirs: ['output_tokens', 'output_citation_tokens'], way: 'out', kind: 'citation' },
  webSearches: { keys: ['web_searches_kcount'], per: 1_000n, fields: ['webSearches'], theirs: ['web_searches'] },
  storageSearches: { keys: ['storage_searches_kcount'], per: 1_000n, fields: ['storageSearches'], theirs: ['storage_searches'] },
  pages: { keys: ['input_document_kpages'], per: 1_000n, fields: ['documentPages'], theirs: ['input_document_pages'] },
  annotated: { keys: ['input_annotated_document_kpages', 'input_document_kpages'], per: 1_000n, fields: ['documentPages', 'annotatedDocumentPages'], theirs: ['input_document_pages', 'input_annotated_document_pages'] },
  messages: { keys: ['input_text_messages_kcount'], per: 1_000n, fields: ['textMessages'], theirs: ['input_text_messages'] },
  soundMs: { keys: ['audio_hours'], per: 3_600_000n, fields: ['audioSeconds'], theirs: ['audio_seconds'] },
  heardMs: { keys: ['input_audio_hours', 'audio_hours'], per: 3_600_000n, fields: ['audioSeconds', 'inputAudioSeconds'], theirs: ['audio_seconds', 'input_audio_seconds'] },
}
const NAMES = Object.keys(CLASSES)
const KEYS = new Set(['requests_kcount', ...NAMES.flatMap((name) => CLASSES[name]!.keys)])

/** How many of each class a call has: audio in milliseconds. */
type Call = Readonly<Record<string, number>>

/** A model at an instant. */
interface Case {
  readonly provider: Provider
  readonly model: ModelInfo
  readonly at: Date
  readonly raw: RawPrice
  readonly book: PriceBook
  readonly price: Price
}

const providers = (await waitForUpdate()) ?? []
const cases = providers.flatMap((provider) => provider.models.flatMap((model) => casesOf(provider, model)))

const size = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.nat({ max: 5_000 }) },
  { weight: 2, arbitrary: fc.nat({ max: 400_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(1, 10_000, 31_999, 32_000, 32_001, 127_999, 128_000, 128_001, 200_000, 200_001, 256_000, 256_001, 271_999, 272_000, 272_001) },
  { weight: 1, arbitrary: fc.nat({ max: 2_000_000_000 }) },
)
const call: fc.Arbitrary<Call> = fc.record(Object.fromEntries(NAMES.map((name) => [name, size])))

describe('PRICES', () => {
  it('has cases for every model that the catalog prices, and for all of its prices', () => {
    const priced = providers.flatMap(({ models }) => models.filter(({ prices }) => (Array.isArray(prices) ? prices : [{ prices }]).every((one) => Object.keys(one.prices).length > 0)))
    expect(new Set(cases.map((one) => one.model)).size).toBe(priced.length)
    const variants = priced.flatMap(({ prices }) => (Array.isArray(prices) ? prices.map((one) => one.prices) : [prices]))
    expect(new Set(cases.map(({ raw }) => raw))).toEqual(new Set(variants))
    expect(cases.length).toBeGreaterThan(1_500)
  })

  it('knows every key that the catalog prices by', () => {
    expect(cases.flatMap(({ raw }) => Object.keys(raw)).filter((key) => !KEYS.has(key))).toEqual([])
  })

  it('costs exactly what it costs, rounded up once, as the catalog has it', async () => {
    await assertProperty('PRICES exact', fc.asyncProperty(call, async (drawn) => {
      for (const one of cases) {
        const usage = usageOf(priceable(one, drawn), 'fields')
        if (Object.keys(usage).length === 0) continue
        const exact = exactCost(one, priceable(one, drawn))
        const cost = one.price.costOf(usage)
        expect(BigInt(cost), label(one)).toBe((exact.parts + exact.of - 1n) / exact.of)
        const floats = calcPrice(usageOf(priceable(one, drawn), 'theirs'), one.model.id, { provider: alone(one), timestamp: one.at })!.total_price * 1e8
        const rational = Number(exact.parts) / Number(exact.of)
        expect(Math.abs(floats - rational), label(one)).toBeLessThanOrEqual(1e-9 * rational)
      }
    }), runs(15))
  })

  it('never costs more than was estimated', async () => {
    await assertProperty('PRICES within the estimate', fc.asyncProperty(call, fc.nat({ max: 1_000 }), async (drawn, more) => {
      for (const one of cases) {
        const tokens = Object.fromEntries(Object.entries(priceable(one, drawn)).filter(([name]) => CLASSES[name]!.way !== undefined))
        if (Object.values(tokens).every((count) => count === 0)) continue
        const usage = usageOf(tokens, 'fields')
        const cost = one.price.costOf(usage)
        const [input, output] = [usage.inputTokens ?? 0, usage.outputTokens ?? 0]
        const kinds = NAMES.flatMap((name) => ((tokens[name] ?? 0) > 0 ? (CLASSES[name]!.kind ?? []) : []))
        expect(cost, label(one)).toBeLessThanOrEqual(one.price.mostFor(input, output))
        expect(cost, label(one)).toBeLessThanOrEqual(one.price.mostFor(input, output, kinds))
        const beyond = { inputTokens: input > 0 ? input + more : 0, maxOutputTokens: output > 0 ? output + more : 0 }
        const named = { model: 'model', at: one.at, ...beyond }
        expect(cost, label(one)).toBeLessThanOrEqual(one.book.estimate(named).exact.costMicrocents)
        expect(cost, label(one)).toBeLessThanOrEqual(one.book.estimate({ ...named, tokenKinds: kinds }).exact.costMicrocents)
      }
    }), runs(40))
  })

  it('estimates no more than the dearest call that there can be', async () => {
    await assertProperty('PRICES tight', fc.asyncProperty(fc.nat({ max: 400_000 }), fc.nat({ max: 100_000 }), fc.subarray(['cache-write', 'cache-write-1h', 'audio', 'image', 'video', 'reasoning', 'citation'] as TokenKind[]), async (input, output, kinds) => {
      for (const one of cases) {
        const ways = (way: 'in' | 'out'): string[] => NAMES.filter((name) => CLASSES[name]!.way === way && CLASSES[name]!.keys.some((key) => one.raw[key] !== undefined) && (CLASSES[name]!.kind === undefined || kinds.includes(CLASSES[name]!.kind!)))
        const reads = one.raw['input_mtok'] === undefined ? 0 : input
        const writes = one.raw['output_mtok'] === undefined ? 0 : output
        const sizes = [reads, ...startsOf(one.raw).filter((start) => start < reads)]
        const calls = sizes.flatMap((count) => (count === 0 ? [{}] : ways('in').map((name) => ({ [name]: count })))).flatMap((read) => (writes === 0 ? [read] : ways('out').map((name) => ({ ...read, [name]: writes }))))
        const dearest = calls.map((tokens) => one.price.costOf({ inputTokens: 0, ...usageOf(tokens, 'fields') })).reduce((a, b) => Math.max(a, b), 0)
        expect(one.price.mostFor(reads, writes, kinds), label(one)).toBe(dearest)
      }
    }), runs(40))
  })
})

/** A share of the usual number of runs: each of these tries every model. */
function runs(share: number): number {
  return Math.max(5, Math.ceil(Number(process.env['BURSAR_RUNS'] ?? 1_000) / share))
}

function casesOf(provider: Provider, model: ModelInfo): Case[] {
  const prices = modelPrices(provider.id, model)
  if (typeof prices === 'string') return []
  const entry: CatalogEntry = { provider: provider.id, model: model.id, prices }
  const book = new PriceBook({}, { find: () => entry })
  return instantsOf(model).map((instant) => {
    const at = new Date(instant)
    const raw = calcPrice({}, model.id, { provider: alone({ provider, model }), timestamp: at })!.model_price
    return { provider, model, at, raw, book, price: book.priceOf({ model: 'model', at: instant }) }
  })
}

/** Where prices change, just before, and in the middle of nowhere. */
function instantsOf({ prices }: ModelInfo): number[] {
  if (!Array.isArray(prices)) return [Date.UTC(2026, 5, 1, 12)]
  const days = [Date.UTC(2024, 0, 1), Date.UTC(2027, 5, 1)]
  const times = [0, 12 * 3_600_000]
  for (const { constraint } of prices) {
    if (constraint?.type === 'start_date') days.push(Date.parse(constraint.start_date))
    if (constraint?.type === 'time_of_date') times.push(...[constraint.start_time, constraint.end_time].map((time) => Date.parse(`1970-01-01T${time}`)))
  }
  return [...new Set(days.flatMap((day) => times.flatMap((time) => [day + time - 1, day + time])))]
}

/** The provider with this model only, so that its name is no matter. */
function alone({ provider, model }: Pick<Case, 'provider' | 'model'>): Provider {
  return { id: provider.id, name: provider.name, api_pattern: '', models: [{ ...model, match: { contains: '' } }] }
}

/** The call without what this model has no price for. */
function priceable({ raw }: Case, drawn: Call): Call {
  return Object.fromEntries(Object.entries(drawn).filter(([name]) => raw[CLASSES[name]!.keys.at(-1)!] !== undefined))
}

function usageOf(counted: Call, side: 'fields'): Usage
function usageOf(counted: Call, side: 'theirs'): Record<string, number>
function usageOf(counted: Call, side: 'fields' | 'theirs'): Usage | Record<string, number> {
  const sums: Record<string, number> = {}
  for (const [name, count] of Object.entries(counted)) for (const field of CLASSES[name]![side]) sums[field] = (sums[field] ?? 0) + count
  return Object.fromEntries(Object.entries(sums).map(([field, sum]) => [field, /seconds/i.test(field) ? sum / 1_000 : sum]))
}

/** Each class times its price, as a fraction in microcents. */
function exactCost({ raw, provider, model }: Case, counted: Call): { parts: bigint; of: bigint } {
  const given = { ...counted }
  const sound = (given['soundMs'] ?? 0) + (given['heardMs'] ?? 0)
  if (provider.id === 'groq' && model.id.startsWith('whisper') && sound > 0 && sound < 10_000) Object.assign(given, { soundMs: 10_000, heardMs: 0 })
  const inputTokens = Object.entries(given).reduce((sum, [name, count]) => (CLASSES[name]!.way === 'in' ? sum + count : sum), 0)
  // Every price times 10^20 is an integer; 3.6 × 10^9 is a multiple of every number that a price is for.
  const unit = 3_600_000_000n
  let parts = raw['requests_kcount'] === undefined ? 0n : scaled(raw['requests_kcount'], inputTokens) * (unit / 1_000n)
  for (const [name, count] of Object.entries(given)) {
    const { keys, per } = CLASSES[name]!
    const key = keys.find((one) => raw[one] !== undefined)!
    parts += BigInt(count) * scaled(raw[key]!, inputTokens) * (unit / per)
  }
  return { parts: parts * 100_000_000n, of: unit * 10n ** 20n }
}

function scaled(price: NonNullable<RawPrice[string]>, inputTokens: number): bigint {
  const tier = typeof price === 'object' ? price.tiers.filter(({ start }) => inputTokens > start).sort((a, b) => b.start - a.start)[0] : undefined
  const usd = typeof price === 'object' ? (tier?.price ?? price.base) : price
  const [mantissa = '', exponent = '0'] = usd.toString().split('e')
  const [whole = '', decimals = ''] = mantissa.split('.')
  return BigInt(whole + decimals) * 10n ** BigInt(20 - decimals.length + Number(exponent))
}

function startsOf(raw: RawPrice): number[] {
  return Object.values(raw).flatMap((price) => (typeof price === 'object' ? price.tiers.map(({ start }) => start) : []))
}

function label({ provider, model, at }: Case): string {
  return `${provider.id}/${model.id} at ${at.toISOString()}`
}
