// Anthropic's usage of a message in the one shape. Its input_tokens exclude what was read from a cache and written to one.

import { InvalidRequestError } from '../errors/index.js'
import { count, foreignObject, inside, neededCount, present, sum, type Foreign } from './foreign-usage.js'
import type { Usage } from './usage.js'

const REMEDY = 'Give the usage of a message as Anthropic reports it, with input_tokens and output_tokens.'

/** What one sampling of a model has used, in the words of {@link Usage}. */
interface Sampled {
  readonly inputTokens: number
  readonly cachedInputTokens: number | undefined
  readonly cacheWriteTokens: number | undefined
  readonly cacheWrite1hTokens: number | undefined
  readonly outputTokens: number
}

/**
 * The usage of a message (Messages API) as a {@link Usage}. Of a stream, it is that of `message_start` with what the last `message_delta`
 * says over it: alone, that one does not say which cache writes were for an hour, and these would be priced as those for five minutes.
 *
 * Absent and null fields are nothing; fields that say nothing about tokens or searches are not read. The `iterations` in which the context
 * was compacted are added: the totals leave them out. Throws `InvalidRequestError` where there is no usage or one of any other shape, and
 * where an adviser has worked, whose model has a price of its own; `InvalidAmountError` for what is no count.
 */
export function anthropicUsage(usage: object | null | undefined): Usage {
  if (usage === undefined || usage === null) throw new InvalidRequestError(`usage: is missing in the answer. ${REMEDY}`)
  const given = foreignObject(usage, 'usage', REMEDY)
  if ('prompt_tokens' in given.fields || 'total_tokens' in given.fields) {
    throw new InvalidRequestError("usage: has prompt_tokens or total_tokens, which Anthropic's usage has not. Use openaiUsage() for it.")
  }
  return present({
    ...compactions(given).reduce(together, sampled(given)),
    reasoningTokens: count(inside(given, 'output_tokens_details'), 'thinking_tokens'),
    webSearches: count(inside(given, 'server_tool_use'), 'web_search_requests'),
  })
}

function sampled(given: Foreign): Sampled {
  const written = count(given, 'cache_creation_input_tokens')
  const read = count(given, 'cache_read_input_tokens')
  const creation = inside(given, 'cache_creation')
  const fiveMinutes = count(creation, 'ephemeral_5m_input_tokens')
  const hour = count(creation, 'ephemeral_1h_input_tokens')
  const cacheWriteTokens = written ?? (fiveMinutes === undefined && hour === undefined ? undefined : sum(`${given.path}.cache_creation`, fiveMinutes ?? 0, hour ?? 0))
  if (written !== undefined && fiveMinutes !== undefined && hour !== undefined && fiveMinutes + hour !== written) {
    throw new InvalidRequestError(`${given.path}.cache_creation_input_tokens: ${written} is not what cache_creation comes to (${fiveMinutes} + ${hour}). Give the usage as Anthropic reports it.`)
  }
  if (written !== undefined && hour !== undefined && hour > written) {
    throw new InvalidRequestError(`${creation.path}.ephemeral_1h_input_tokens: ${hour} is more than cache_creation_input_tokens (${written}), which it is part of. Give the usage as Anthropic reports it.`)
  }
  return {
    inputTokens: sum(given.path, neededCount(given, 'input_tokens', REMEDY), cacheWriteTokens ?? 0, read ?? 0),
    cachedInputTokens: read,
    cacheWriteTokens,
    cacheWrite1hTokens: hour,
    outputTokens: neededCount(given, 'output_tokens', REMEDY),
  }
}

/** What was used for summing a long conversation up, beside the message itself. */
function compactions({ path, fields }: Foreign): Sampled[] {
  const iterations = fields['iterations'] ?? []
  if (!Array.isArray(iterations)) throw new InvalidRequestError(`${path}.iterations: is no list. ${REMEDY}`)
  return iterations.flatMap((iteration: unknown, index) => {
    const entry = foreignObject(iteration, `${path}.iterations.${index}`, REMEDY)
    const { type } = entry.fields
    if (type === 'advisor_message') throw new InvalidRequestError(`${entry.path}: is that of an adviser, whose model has a price of its own. Settle such a call with its cost.`)
    return type === 'compaction' ? [sampled(entry)] : []
  })
}

function together(a: Sampled, b: Sampled): Sampled {
  const plus = (one: number | undefined, other: number | undefined): number | undefined => (one === undefined && other === undefined ? undefined : sum('usage', one ?? 0, other ?? 0))
  return {
    inputTokens: sum('usage', a.inputTokens, b.inputTokens),
    cachedInputTokens: plus(a.cachedInputTokens, b.cachedInputTokens),
    cacheWriteTokens: plus(a.cacheWriteTokens, b.cacheWriteTokens),
    cacheWrite1hTokens: plus(a.cacheWrite1hTokens, b.cacheWrite1hTokens),
    outputTokens: sum('usage', a.outputTokens, b.outputTokens),
  }
}
