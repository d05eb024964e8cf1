// What answers of the AI SDK say of their cost, in bursar's words: usage, the provider's own cost, and the model that answered.

import type { Outcome } from '../decision/index.js'
import type { Usage } from '../pricing/index.js'
import type { StreamReader, StreamReading } from '../stream/index.js'
import type { SdkGenerated, SdkMetadata, SdkStreamPart, SdkUsage } from './ai-sdk-shapes.js'

/** The outcome of a whole answer. Without a usage in it the provider has not said what was used. */
export function outcomeOf({ usage, providerMetadata, response }: SdkGenerated): Outcome {
  const counts = countsOf(usage)
  const cost = reportedCost(providerMetadata, usage?.raw)
  const model = nameOf(response?.modelId)
  return {
    ...(model !== undefined && { model }),
    ...(counts !== undefined && { usage: cost === undefined ? counts : { ...counts, cost } }),
    ...(counts === undefined && cost !== undefined && { cost }),
  }
}

/** Reads the pieces of one answer; `provider` is whose model answers, where it is not the request's. */
export function streamReader(provider: string | undefined): StreamReader<SdkStreamPart> {
  /** Tool calls whose arguments came in pieces: the call that follows has them again. */
  const spelledOut = new Set<unknown>()
  return (part) => {
    const reading = readPart(part, spelledOut)
    return reading === undefined || provider === undefined ? reading : { ...reading, provider }
  }
}

/** Pieces that are known, and say nothing of what the model wrote. */
const WITHOUT_COST = new Set(['stream-start', 'text-start', 'text-end', 'reasoning-start', 'reasoning-end', 'tool-input-start', 'tool-input-end', 'tool-result', 'tool-approval-request', 'source', 'raw', 'error'])

type Part = { readonly [field: string]: unknown } & SdkStreamPart

function readPart(piece: SdkStreamPart, spelledOut: Set<unknown>): StreamReading | undefined {
  const part = piece as Part
  switch (part.type) {
    case 'response-metadata':
      return { model: nameOf(part['modelId']) }
    case 'tool-input-delta':
      spelledOut.add(part['id'])
      return { text: textOf(part['delta']) }
    case 'text-delta':
    case 'reasoning-delta':
      return { text: textOf(part['delta']) }
    case 'tool-call':
      return spelledOut.has(part['toolCallId']) ? {} : { text: textOf(part['input']) }
    case 'finish':
      return readFinish(part as unknown as Omit<SdkGenerated, 'response'>)
    default:
      return WITHOUT_COST.has(part.type) ? {} : undefined
  }
}

function readFinish({ usage, providerMetadata }: Omit<SdkGenerated, 'response'>): StreamReading {
  const counts = countsOf(usage)
  const cost = reportedCost(providerMetadata, usage?.raw)
  if (counts !== undefined) return { usage: cost === undefined ? counts : { ...counts, cost }, isFinal: true }
  return cost === undefined ? {} : { usage: { cost }, isFinal: true }
}

/** `undefined` where one of the totals is not known: part of a count would be too little. */
function countsOf(usage: SdkUsage | undefined): Usage | undefined {
  const { inputTokens, outputTokens } = usage ?? {}
  if (inputTokens?.total === undefined || outputTokens?.total === undefined) return undefined
  const counts = {
    inputTokens: inputTokens.total,
    cachedInputTokens: inputTokens.cacheRead,
    cacheWriteTokens: inputTokens.cacheWrite,
    outputTokens: outputTokens.total,
    reasoningTokens: outputTokens.reasoning,
    ...rawCounts(usage?.raw),
  }
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== undefined && count !== null))
}

/** What is priced apart, and what the AI SDK has no word for: it stands in the provider's own usage object only. */
function rawCounts(raw: unknown): Usage {
  const hour = countIn(raw, 'cache_creation', 'ephemeral_1h_input_tokens')
  const searches = countIn(raw, 'server_tool_use', 'web_search_requests')
  const heard = countIn(raw, 'prompt_tokens_details', 'audio_tokens')
  const spoken = countIn(raw, 'completion_tokens_details', 'audio_tokens')
  return {
    ...(hour !== undefined && { cacheWrite1hTokens: hour }),
    ...(searches !== undefined && { webSearches: searches }),
    ...(heard !== undefined && { inputAudioTokens: heard }),
    ...(spoken !== undefined && { outputAudioTokens: spoken }),
  }
}

function countIn(raw: unknown, group: string, field: string): number | undefined {
  const count = fieldOf(fieldOf(raw, group), field)
  return typeof count === 'number' && count > 0 ? count : undefined
}

/**
 * What the provider itself says that the call cost, in USD: `openrouter.usage.cost`, or `gateway.cost` of Vercel's gateway. On a key of
 * one's own the first is a fee and the second nothing: then it is the gateway's price of the market, or the price book that counts.
 */
function reportedCost(metadata: SdkMetadata | undefined, raw: unknown): number | string | undefined {
  return openrouterCost(metadata, raw) ?? gatewayCost(metadata)
}

function openrouterCost(metadata: SdkMetadata | undefined, raw: unknown): number | string | undefined {
  const usage = fieldOf(metadata?.['openrouter'], 'usage')
  const cost = amountOf(fieldOf(usage, 'cost'))
  const upstream = amountOf(fieldOf(fieldOf(usage, 'costDetails'), 'upstreamInferenceCost'))
  const isOwnKey = fieldOf(raw, 'is_byok') === true || Number(upstream ?? 0) > Number(cost ?? 0)
  return isOwnKey ? undefined : cost
}

function gatewayCost(metadata: SdkMetadata | undefined): number | string | undefined {
  const cost = amountOf(fieldOf(metadata?.['gateway'], 'cost'))
  return Number(cost ?? 0) > 0 ? cost : amountOf(fieldOf(metadata?.['gateway'], 'marketCost'))
}

function amountOf(value: unknown): number | string | undefined {
  if (typeof value === 'string') return /^\d+(\.\d+)?$/.test(value) ? value : amountOf(value.trim() === '' ? undefined : Number(value))
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
}

function nameOf(model: unknown): string | undefined {
  return typeof model === 'string' && model !== '' ? model : undefined
}

function textOf(text: unknown): string {
  return typeof text === 'string' ? text : ''
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined
}
