// What answers of the AI SDK say of their cost, in bursar's words: usage, the provider's own cost, and the model that answered.

import type { Outcome } from '../decision/index.js'
import type { Usage } from '../pricing/index.js'
import type { StreamReader, StreamReading } from '../stream/index.js'
import { keptIds } from './ai-sdk-items.js'
import type { SaidOfMode } from './ai-sdk-modes.js'
import type { SdkContent, SdkGenerated, SdkMetadata, SdkStreamPart, SdkTool, SdkUsage } from './ai-sdk-shapes.js'
import { HostedSearches } from './ai-sdk-tools.js'

/** What has to be known of a call to read its answer. */
export interface AnsweredCall {
  readonly tools?: readonly SdkTool[] | undefined
  /** Whose model answers, where it is not the request's. */
  readonly provider?: string | undefined
  /** The name that the price of the answer has, by the model that it names and by what it says of its mode. */
  pricedAs(answered: string | undefined, said: SaidOfMode): string | undefined
  /** Hears which items of the answer the provider keeps, and how many tokens they are together at most. */
  note(ids: Iterable<string>, tokens: number): void
}

/** The outcome of a whole answer. Without a usage in it the provider has not said what was used. */
export function outcomeOf({ content = [], usage, providerMetadata, response }: SdkGenerated, { tools, provider, pricedAs, note }: AnsweredCall): Outcome {
  const searches = new HostedSearches(tools)
  for (const part of content) searches.add(part)
  const counts = countsOf(usage)
  const cost = reportedCost(providerMetadata, usage?.raw)
  const model = pricedAs(nameOf(response?.modelId), { providerMetadata, raw: usage?.raw, body: response?.body })
  if (counts?.outputTokens !== undefined) note(content.flatMap(keptIds), counts.outputTokens)
  return {
    ...(model !== undefined && { model }),
    ...(provider !== undefined && { provider }),
    ...(counts !== undefined && { usage: { ...counts, ...searches.usage, ...(cost !== undefined && { cost }) } }),
    ...(counts === undefined && cost !== undefined && { cost }),
  }
}

/** Reads the pieces of one answer. */
export function streamReader(call: AnsweredCall): StreamReader<SdkStreamPart> {
  const reader = new PieceReader(call)
  return (part) => {
    const reading = reader.read(part)
    return reading === undefined ? undefined : { ...reading, id: reader.id, provider: call.provider }
  }
}

/** Pieces that are known, and say nothing of what the model wrote. */
const WITHOUT_COST = new Set(['stream-start', 'text-start', 'text-end', 'reasoning-start', 'reasoning-end', 'tool-input-start', 'tool-input-end', 'tool-result', 'tool-approval-request', 'source', 'raw', 'error'])

type Part = { readonly [field: string]: unknown } & SdkStreamPart

/** What the pieces of one answer say, each with what those before it have said. */
class PieceReader {
  /** The answer that is read: what its end says of the mode is another name of its price, and no other answer. */
  id: string | undefined
  readonly #call: AnsweredCall
  readonly #searches: HostedSearches
  /** Tool calls whose arguments came in pieces: the call that follows has them again. */
  readonly #spelledOut = new Set<unknown>()
  readonly #kept = new Set<string>()
  #answered: string | undefined

  constructor(call: AnsweredCall) {
    this.#call = call
    this.#searches = new HostedSearches(call.tools)
  }

  read(piece: SdkStreamPart): StreamReading | undefined {
    for (const id of keptIds(piece as SdkContent)) this.#kept.add(id)
    const hasSearched = this.#searches.add(piece)
    const reading = this.#readPart(piece as Part)
    return hasSearched ? { ...reading, usage: { ...reading?.usage, ...this.#searches.usage } } : reading
  }

  #readPart(part: Part): StreamReading | undefined {
    switch (part.type) {
      case 'response-metadata':
        this.#answered = nameOf(part['modelId'])
        this.id = nameOf(part['id']) ?? this.#answered
        return { model: this.#call.pricedAs(this.#answered, {}) }
      case 'tool-input-delta':
        this.#spelledOut.add(part['id'])
        return { text: textOf(part['delta']) }
      case 'text-delta':
      case 'reasoning-delta':
        return { text: textOf(part['delta']) }
      case 'tool-call':
        return this.#spelledOut.has(part['toolCallId']) ? {} : { text: textOf(part['input']) }
      case 'finish':
        return this.#readFinish(part as unknown as Omit<SdkGenerated, 'response'>)
      default:
        return WITHOUT_COST.has(part.type) ? {} : undefined
    }
  }

  #readFinish({ usage, providerMetadata }: Omit<SdkGenerated, 'response'>): StreamReading {
    const counts = countsOf(usage)
    const cost = reportedCost(providerMetadata, usage?.raw)
    const model = this.#call.pricedAs(this.#answered, { providerMetadata, raw: usage?.raw })
    if (counts?.outputTokens !== undefined) this.#call.note(this.#kept, counts.outputTokens)
    if (counts !== undefined) return { model, usage: { ...counts, ...this.#searches.usage, ...(cost !== undefined && { cost }) }, isFinal: true }
    return cost === undefined ? { model } : { model, usage: { cost }, isFinal: true }
  }
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
