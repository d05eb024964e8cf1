// What the events of Anthropic's streamed messages say. Their counts are cumulative, and a later one may leave out what an earlier one
// said: they are put together as they come, and converted together.

import { anthropicUsage } from '../../pricing/index.js'
import type { StreamReader, StreamReading } from '../reading.js'

type Fields = Readonly<Record<string, unknown>>

const EVENTS: readonly unknown[] = ['message_start', 'content_block_start', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop', 'ping']
// `data` is reasoning that is not shown: `redacted_thinking`.
const WRITTEN = ['text', 'thinking', 'partial_json', 'name', 'data'] as const

/**
 * Reads one stream of message events (`messages.create({ stream: true })`, also as `messages.stream()` gives them); other pieces say
 * nothing. The usage of `message_start` counts only the first tokens of the output: the last word is that of `message_delta`, once it says
 * why the model stopped. A `message_start` begins another answer. Throws `InvalidRequestError` and `InvalidAmountError` for a usage that is none. A reader is for one stream.
 */
export function anthropicReader(): StreamReader {
  let counted: Fields = {}
  let hasTotal = false
  const usageSoFar = (isFinal: boolean): StreamReading => ('input_tokens' in counted && 'output_tokens' in counted ? { usage: anthropicUsage(counted), isFinal } : {})
  return (piece) => {
    if (!isAnthropicPiece(piece)) return undefined
    const { type, message, usage, delta, content_block: block } = piece as Fields
    switch (type) {
      case 'message_start':
        if (!isFields(message)) return {}
        // What a message before it has used is not this one's.
        counted = together({}, message['usage'])
        hasTotal = false
        return { ...named('model', message['model']), ...named('id', message['id']), ...usageSoFar(false) }
      case 'message_delta':
        counted = together(counted, usage)
        hasTotal ||= isFields(usage) && typeof usage['output_tokens'] === 'number'
        return 'input_tokens' in counted ? usageSoFar(hasTotal && isFields(delta) && typeof delta['stop_reason'] === 'string') : outputOnly(counted)
      case 'message_stop':
        return hasTotal ? usageSoFar(true) : {}
      default:
        return { text: textOf(delta) + textOf(block) }
    }
  }
}

/** True for what {@link anthropicReader} reads. */
export function isAnthropicPiece(piece: unknown): boolean {
  return isFields(piece) && EVENTS.includes(piece['type'])
}

/** A stream whose start was not seen. */
function outputOnly(counted: Fields): StreamReading {
  const { outputTokens } = anthropicUsage({ ...counted, input_tokens: 0 })
  return { usage: { outputTokens } }
}

function together(before: Fields, usage: unknown): Fields {
  if (!isFields(usage)) return before
  const said = Object.fromEntries(Object.entries(usage).filter(([, count]) => count !== undefined && count !== null))
  const { cache_creation: parts } = before
  // A new total without new parts: what was written for an hour was still written for an hour.
  const isStale = isFields(parts) && 'cache_creation_input_tokens' in said
  return { ...before, ...(isStale && { cache_creation: { ephemeral_1h_input_tokens: parts['ephemeral_1h_input_tokens'] } }), ...said }
}

function named(field: 'model' | 'id', name: unknown): StreamReading {
  return typeof name === 'string' && name !== '' ? { [field]: name } : {}
}

function textOf(part: unknown): string {
  if (!isFields(part)) return ''
  return WRITTEN.map((field) => (typeof part[field] === 'string' ? part[field] : '')).join('')
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
