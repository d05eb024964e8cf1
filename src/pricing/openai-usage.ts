// OpenAI's usage objects, and those of providers that answer in its format, in the one shape. Its totals include their parts.

import { InvalidAmountError, InvalidRequestError } from '../errors/index.js'
import { parseUsd, type Usd } from '../money/index.js'
import { count, foreignObject, inside, neededCount, present, type Foreign } from './foreign-usage.js'
import type { Usage } from './usage.js'

const REMEDY = "Give the usage of a response as OpenAI reports it: with prompt_tokens (chat, embeddings) or input_tokens (responses, images)."

/**
 * The usage of a chat completion, a response, an image or an embedding as a {@link Usage}; also of providers that answer in OpenAI's
 * format, with the `cost` that OpenRouter (a number) and Perplexity (`total_cost`) add, except for calls on a key of one's own
 * (`is_byok`), where it is a fee only.
 *
 * Absent and null fields are nothing; fields that say nothing about tokens are not read. `total_tokens` has to be at least input and
 * output together. Where it is more, the rest counts as output: some providers count reasoning in the total alone. Throws
 * `InvalidRequestError` for any other shape, and `InvalidAmountError` for what is no count.
 */
export function openaiUsage(usage: object): Usage {
  const given = foreignObject(usage, 'usage', REMEDY)
  const chat = 'prompt_tokens' in given.fields
  if (chat === 'input_tokens' in given.fields) throw new InvalidRequestError(`usage: has ${chat ? 'both prompt_tokens and input_tokens' : 'neither prompt_tokens nor input_tokens'}. ${REMEDY}`)
  if ('cache_creation_input_tokens' in given.fields || 'cache_read_input_tokens' in given.fields) {
    throw new InvalidRequestError("usage: has cache_creation_input_tokens or cache_read_input_tokens, which OpenAI's usage has not. Use anthropicUsage() for it.")
  }
  return chat
    ? converted(given, 'prompt_tokens', 'completion_tokens', inside(given, 'prompt_tokens_details'), inside(given, 'completion_tokens_details'))
    : converted(given, 'input_tokens', 'output_tokens', inside(given, 'input_tokens_details'), inside(given, 'output_tokens_details'))
}

function converted(given: Foreign, input: string, output: string, read: Foreign, written: Foreign): Usage {
  const inputTokens = neededCount(given, input, REMEDY)
  const total = count(given, 'total_tokens')
  const named = count(given, output)
  // An embedding writes nothing and has only a total; without either nothing says what was written.
  if (named === undefined && total === undefined) throw new InvalidRequestError(`${given.path}.${output}: is missing, and so is total_tokens. ${REMEDY}`)
  const unnamed = total === undefined ? 0 : total - inputTokens - (named ?? 0)
  if (unnamed < 0) throw new InvalidRequestError(`${given.path}.total_tokens: ${total} is less than ${input} (${inputTokens}) and ${output} (${named ?? 0}) together. Give the usage as the provider reports it.`)
  const reasoning = count(written, 'reasoning_tokens')
  const cachedParts = inside(read, 'cached_tokens_details')
  return present({
    inputTokens,
    cachedInputTokens: count(read, 'cached_tokens'),
    cacheWriteTokens: count(read, 'cache_write_tokens'),
    inputAudioTokens: count(read, 'audio_tokens'),
    cachedInputAudioTokens: count(cachedParts, 'audio_tokens'),
    inputImageTokens: count(read, 'image_tokens'),
    cachedInputImageTokens: count(cachedParts, 'image_tokens'),
    inputVideoTokens: count(read, 'video_tokens'),
    outputTokens: named === undefined && unnamed === 0 ? undefined : (named ?? 0) + unnamed,
    reasoningTokens: reasoning,
    outputAudioTokens: count(written, 'audio_tokens'),
    outputImageTokens: count(written, 'image_tokens'),
    outputVideoTokens: count(written, 'video_tokens'),
    citationTokens: count(given, 'citation_tokens'),
    cost: reportedBy(given),
  })
}

function reportedBy(given: Foreign): Usd | undefined {
  const { cost, is_byok: ownKey } = given.fields
  const reported = typeof cost === 'object' && cost !== null ? inside(given, 'cost').fields['total_cost'] : cost
  if (reported === undefined || reported === null) return undefined
  if (typeof reported !== 'number' && typeof reported !== 'string') throw new InvalidAmountError(`${given.path}.cost: ${typeof reported} is no cost. Give USD as the provider reports it.`)
  parseUsd(reported, `${given.path}.cost`, 'round-up')
  return ownKey === true ? undefined : reported
}
