// A model of genai-prices in the words of the price book. What the book has no word for is refused whole: half a price is a wrong one.

import type { ModelInfo, ModelPrice as CatalogPrice } from '@pydantic/genai-prices'
import { CALLS, METERS, type DatedPrice, type ModelPrices, type Rate, type RateName } from '../pricing/index.js'

const KEYS = new Map([CALLS, ...METERS].filter(({ catalogKey }) => catalogKey !== '').map((meter) => [meter.catalogKey, meter]))
const TIME = /^(\d{2}:\d{2}:\d{2})(Z|[+-]\d{2}:\d{2})$/
const DAY_S = 86_400

/** Groq charges a transcription for ten seconds at least; the catalog has no field for it. https://groq.com/pricing */
const LEAST_AUDIO_SECONDS: Readonly<Record<string, number>> = { 'groq/whisper-large-v3': 10, 'groq/whisper-large-v3-turbo': 10 }

/** What a call costs at Perplexity has its searches in it. https://docs.perplexity.ai/getting-started/pricing */
const WITH_SEARCHES = 'perplexity'

/** The prices of a model, or why they cannot be applied. */
export function modelPrices(provider: string, model: ModelInfo): ModelPrices | string {
  const common = {
    ...(model.context_window !== undefined && { contextWindow: model.context_window }),
    ...(`${provider}/${model.id}` in LEAST_AUDIO_SECONDS && { minAudioSeconds: LEAST_AUDIO_SECONDS[`${provider}/${model.id}`] }),
  }
  const variants = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }]
  const dated: DatedPrice[] = []
  for (const { prices, constraint } of variants) {
    const listed = ratesOf(prices)
    if (typeof listed === 'string') return listed
    const rates = provider === WITH_SEARCHES && listed.perCall !== undefined ? { perWebSearch: 0, ...listed } : listed
    if (constraint === undefined) dated.push({ ...rates, ...common })
    else if (constraint.type === 'start_date') dated.push({ ...rates, ...common, from: constraint.start_date })
    else {
      const [from, to] = [timeInUtc(constraint.start_time), timeInUtc(constraint.end_time)]
      if (from === undefined || to === undefined || from === to) return `its hours, ${constraint.start_time} to ${constraint.end_time}, cannot be read`
      dated.push({ ...rates, ...common, daily: { from, to } })
    }
  }
  return dated
}

function ratesOf(prices: CatalogPrice): Partial<Record<RateName, Rate>> | string {
  const rates: Partial<Record<RateName, Rate>> = {}
  for (const [key, price] of Object.entries(prices)) {
    if (price === undefined) continue
    const meter = KEYS.get(key)
    if (meter === undefined) return `the catalog prices it by ${key} too, which this price book does not know`
    const per = meter.catalogPer === meter.per ? undefined : meter.catalogPer
    if (typeof price === 'object') rates[meter.rate] = { base: price.base, tiers: price.tiers.map((tier) => ({ above: tier.start, price: tier.price })), ...(per !== undefined && { per }) }
    else rates[meter.rate] = per === undefined ? price : { price, per }
  }
  return Object.keys(rates).length === 0 ? 'the catalog lists it without any price' : rates
}

function timeInUtc(text: string): string | undefined {
  const [, time = '', offset = ''] = TIME.exec(text) ?? []
  if (time === '') return undefined
  const seconds = secondsOf(time) - (offset === 'Z' ? 0 : secondsOf(`${offset.slice(1)}:00`) * (offset.startsWith('-') ? -1 : 1))
  const inDay = (seconds + DAY_S) % DAY_S
  return [inDay / 3_600, (inDay / 60) % 60, inDay % 60].map((part) => String(Math.floor(part)).padStart(2, '0')).join(':')
}

function secondsOf(time: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number)
  return (hours * 60 + minutes) * 60 + seconds
}
