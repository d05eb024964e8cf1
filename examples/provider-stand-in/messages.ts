// Anthropic's messages (docs.claude.com/en/api/messages), as far as its SDK needs them.

import type { Api, Exchange, Question, StreamEvent } from './api.js'
import { isFields, readContent, readFlag, readMessages, readMostTokens, readText, readUser, wrong, type ApiError, type Fields } from './fields.js'
import { findModel, type Model, type Used } from './models.js'

/** `POST /v1/messages`. What stands before a `cache_control` comes from the cache or is written to it. */
export const messages: Api = {
  provider: 'anthropic',

  read(fields) {
    const model = readText(fields.model, 'model')
    const system = readSystem(fields.system)
    const texts = [...system.texts, ...readMessages(fields.messages, 'messages', ['text'])]
    const { metadata = {} } = fields
    if (!isFields(metadata)) throw wrong('metadata', 'expected an object')
    const maxTokens = readMostTokens(fields.max_tokens, 'max_tokens')
    const user = readUser(metadata.user_id, 'metadata.user_id')
    return { model, user, texts, maxTokens, cache: system.cache, reasons: false, stream: readFlag(fields.stream, 'stream') }
  },

  whole: (exchange) => ({
    ...messageOf(exchange),
    content: [{ type: 'text', text: exchange.answer.words.join(''), citations: null }],
    stop_reason: reasonOf(exchange),
    usage: usageOf(exchange.answer.used),
  }),

  opening: (exchange) => [
    event('message_start', { message: { ...messageOf(exchange), usage: usageOf({ ...exchange.answer.used, words: 1 }) } }),
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    event('ping', {}),
  ],

  part: (_, text) => [event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })],

  closing(exchange) {
    // The last word on the usage does not say for how long a cache was written: only the first one does.
    const { cache_creation: _, service_tier: _1, ...usage } = usageOf(exchange.answer.used)
    return [
      event('content_block_stop', { index: 0 }),
      event('message_delta', { delta: { stop_reason: reasonOf(exchange), stop_sequence: null }, usage }),
      event('message_stop', {}),
    ]
  },

  error({ status, message }: ApiError) {
    const type = TYPES.get(status) ?? (status < 500 ? 'invalid_request_error' : 'api_error')
    return { type: 'error', error: { type, message }, request_id: null }
  },
}

const TYPES = new Map([[401, 'authentication_error'], [404, 'not_found_error'], [413, 'request_too_large'], [429, 'rate_limit_error'], [529, 'overloaded_error']])

function readSystem(system: unknown): { texts: string[]; cache: Exclude<Question['cache'], string> } {
  if (system === undefined || typeof system === 'string') return { texts: system === undefined ? [] : [system], cache: { texts: 0, forHour: false } }
  if (!Array.isArray(system)) throw wrong('system', 'expected a string or an array of text parts')
  const blocks = system as Fields[]
  const texts = blocks.map((block, index) => readContent([block], `system[${index}]`, ['text']))
  const last = blocks.findLastIndex(({ cache_control: control }) => isFields(control))
  const control = blocks[last]?.cache_control
  return { texts, cache: { texts: last + 1, forHour: isFields(control) && control.ttl === '1h' } }
}

function event(type: string, data: object): StreamEvent {
  return { event: type, data: { type, ...data } }
}

function messageOf({ id, question }: Exchange): object {
  const { snapshot } = findModel(question.model, 'anthropic') as Model
  return { id: `msg_${id}`, type: 'message', role: 'assistant', model: snapshot, content: [], stop_reason: null, stop_sequence: null }
}

function reasonOf({ answer }: Exchange): string {
  return answer.isCut ? 'max_tokens' : 'end_turn'
}

function usageOf({ fresh, cached, written, writtenForHour, words }: Used) {
  return {
    input_tokens: fresh,
    cache_creation_input_tokens: written + writtenForHour,
    cache_read_input_tokens: cached,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: writtenForHour },
    output_tokens: words,
    service_tier: 'standard',
  }
}
