// OpenAI's usage objects, and those of providers that answer in its format, in the one shape. Its totals include their parts.

import { InvalidAmountError, InvalidRequestError } from '../errors/index.js'
import { parseUsd, type Usd } from '../money/index.js'
import { count, foreignObject, inside, neededCount, present, sum, type Foreign } from './foreign-usage.js'
import type { Usage } from './usage.js'

const REMEDY = 'Give the usage of a response as OpenAI reports it: with prompt_tokens (chat, embeddings) or input_tokens (responses, images, realtime).'
const MISSING = 'usage: is missing in the answer. Give the usage of a response; a chat that is streamed has one where stream_options: { include_usage: true } asks for it.'

/** Fields by which Perplexity's usage is known. It counts its research beside `completion_tokens`, and beside `total_tokens` too. */
const OF_RESEARCH = ['citation_tokens', 'num_search_queries', 'search_context_size']

/** How many ticks, in which xAI says what a call cost, are a USD: 10 to this power. https://docs.x.ai/developers/cost-tracking */
const TICK_DECIMALS = 10

/**
 * The usage of a chat completion, a response, an image, an embedding, a transcription or a realtime response as a {@link Usage}; also of
 * providers that answer in OpenAI's format, with what they add to it: what was read from a cache as DeepSeek, Moonshot and LiteLLM say it
 * (LiteLLM also what was written to one, as part of `prompt_tokens`); Perplexity's citations, reasoning and searches, which are not
 * part of its `completion_tokens`; and the cost that OpenRouter (`cost`), Perplexity (`cost.total_cost`) and xAI (`cost_in_usd_ticks`)
 * report, except for calls on a key of one's own (`is_byok`), where it is a fee only.
 *
 * Absent and null fields are nothing; fields that say nothing about tokens are not read. `total_tokens` has to be at least input and
 * output together, but with a cost, which needs no counts. Where it is more, the rest counts as output: some providers count reasoning in
 * the total alone. Throws `InvalidRequestError` where there is no usage or one of any other shape, and for xAI's `num_sources_used`
 * without a cost, as no catalog prices them; `InvalidAmountError` for what is no count.
 */
export function openaiUsage(usage: object | null | undefined): Usage {
  if (usage === undefined || usage === null) throw new InvalidRequestError(MISSING)
  const given = foreignObject(usage, 'usage', REMEDY)
  const { fields } = given
  if (fields['type'] === 'duration') return ofDuration(given)
  const chat = 'prompt_tokens' in fields
  if (chat === 'input_tokens' in fields) throw new InvalidRequestError(`usage: has ${chat ? 'both prompt_tokens and input_tokens' : 'neither prompt_tokens nor input_tokens'}. ${REMEDY}`)
  if (!chat && ('cache_creation_input_tokens' in fields || 'cache_read_input_tokens' in fields)) {
    throw new InvalidRequestError("usage: has input_tokens with cache_creation_input_tokens or cache_read_input_tokens, which OpenAI's usage has not. Use anthropicUsage() for it.")
  }
  return chat
    ? converted(given, 'prompt_tokens', 'completion_tokens', inside(given, 'prompt_tokens_details'), inside(given, 'completion_tokens_details'))
    : converted(given, 'input_tokens', 'output_tokens', details(given, 'input_tokens_details', 'input_token_details'), details(given, 'output_tokens_details', 'output_token_details'))
}

/** Transcriptions and realtime sessions have the name in the singular. */
function details(given: Foreign, name: string, singular: string): Foreign {
  return inside(given, (given.fields[name] ?? undefined) === undefined ? singular : name)
}

/** A transcription that is charged by its length. */
function ofDuration({ path, fields }: Foreign): Usage {
  const { seconds } = fields
  if (typeof seconds !== 'number' || !(seconds >= 0)) throw new InvalidAmountError(`${path}.seconds: ${String(seconds)} is no number of seconds. Give the usage as the provider reports it.`)
  return { audioSeconds: seconds, inputAudioSeconds: seconds }
}

function converted(given: Foreign, input: string, output: string, read: Foreign, written: Foreign): Usage {
  const cost = reportedBy(given)
  const inputTokens = neededCount(given, input, REMEDY)
  const total = count(given, 'total_tokens')
  const named = count(given, output)
  // An embedding writes nothing and has only a total; without either nothing says what was written.
  if (named === undefined && total === undefined) throw new InvalidRequestError(`${given.path}.${output}: is missing, and so is total_tokens. ${REMEDY}`)
  const unnamed = total === undefined ? 0 : total - inputTokens - (named ?? 0)
  if (unnamed < 0 && cost === undefined) throw new InvalidRequestError(`${given.path}.total_tokens: ${total} is less than ${input} (${inputTokens}) and ${output} (${named ?? 0}) together. Give the usage as the provider reports it.`)
  const citationTokens = count(given, 'citation_tokens')
  const ownReasoning = count(given, 'reasoning_tokens')
  const research = OF_RESEARCH.some((field) => (given.fields[field] ?? undefined) !== undefined) ? sum(given.path, citationTokens ?? 0, ownReasoning ?? 0) : 0
  // A total that counts the research too has it once.
  const beside = Math.max(unnamed, research)
  assertPriced(given, cost)
  const cachedParts = inside(read, 'cached_tokens_details')
  return present({
    inputTokens,
    cachedInputTokens: count(read, 'cached_tokens') ?? count(given, 'prompt_cache_hit_tokens') ?? count(given, 'cached_tokens') ?? count(given, 'cache_read_input_tokens'),
    cacheWriteTokens: count(read, 'cache_write_tokens') ?? count(read, 'cache_creation_tokens') ?? count(given, 'cache_creation_input_tokens'),
    cacheWrite1hTokens: count(inside(read, 'cache_creation_token_details'), 'ephemeral_1h_input_tokens'),
    inputAudioTokens: count(read, 'audio_tokens'),
    cachedInputAudioTokens: count(cachedParts, 'audio_tokens'),
    inputImageTokens: count(read, 'image_tokens'),
    cachedInputImageTokens: count(cachedParts, 'image_tokens'),
    inputVideoTokens: count(read, 'video_tokens'),
    outputTokens: named === undefined && beside === 0 ? undefined : sum(given.path, named ?? 0, beside),
    reasoningTokens: count(written, 'reasoning_tokens') ?? ownReasoning,
    outputAudioTokens: count(written, 'audio_tokens'),
    outputImageTokens: count(written, 'image_tokens'),
    outputVideoTokens: count(written, 'video_tokens'),
    citationTokens,
    webSearches: count(given, 'num_search_queries'),
    cost,
  })
}

function assertPriced(given: Foreign, cost: Usd | undefined): void {
  const sources = count(given, 'num_sources_used') ?? 0
  if (sources > 0 && cost === undefined) {
    throw new InvalidRequestError(`${given.path}.num_sources_used: ${sources}, and no catalog says what xAI charges for a source. Settle the call with its cost in USD.`)
  }
}

function reportedBy(given: Foreign): Usd | undefined {
  const { cost, is_byok: ownKey } = given.fields
  const reported = (typeof cost === 'object' && cost !== null ? inside(given, 'cost').fields['total_cost'] : cost) ?? inTicks(given)
  if (reported === undefined || reported === null) return undefined
  if (typeof reported !== 'number' && typeof reported !== 'string') throw new InvalidAmountError(`${given.path}.cost: ${typeof reported} is no cost. Give USD as the provider reports it.`)
  parseUsd(reported, `${given.path}.cost`, 'round-up')
  return ownKey === true ? undefined : reported
}

function inTicks(given: Foreign): string | undefined {
  const ticks = count(given, 'cost_in_usd_ticks')
  if (ticks === undefined) return undefined
  const digits = String(ticks).padStart(TICK_DECIMALS + 1, '0')
  return `${digits.slice(0, -TICK_DECIMALS)}.${digits.slice(-TICK_DECIMALS)}`
}
