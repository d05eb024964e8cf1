// OpenAI's responses (platform.openai.com/docs/api-reference/responses), as far as its SDK needs them.

import type { Api, Exchange, StreamEvent } from './api.js'
import { isFields, readContent, readFlag, readMessages, readMostTokens, readText, readUser, type Fields } from './fields.js'
import { findModel, type Model } from './models.js'
import { openaiError } from './openai-error.js'

const DEFAULT_MAX_TOKENS = 256
const TEXT_PARTS = ['input_text', 'output_text']

/** `POST /v1/responses`. */
export const responses: Api = {
  provider: 'openai',

  read(fields) {
    const model = readText(fields.model, 'model')
    const texts = [...readInstructions(fields), ...readInput(fields.input)]
    const user = readUser(fields.safety_identifier ?? fields.user, 'user')
    const maxTokens = readMostTokens(fields.max_output_tokens ?? DEFAULT_MAX_TOKENS, 'max_output_tokens')
    return { model, user, texts, maxTokens, cache: 'by itself', reasons: true, stream: readFlag(fields.stream, 'stream') }
  },

  whole: (exchange) => responseOf(exchange, exchange.answer.isCut ? 'incomplete' : 'completed'),

  opening(exchange) {
    const response = responseOf(exchange, 'in_progress')
    return [
      event(exchange, 'response.created', { response }),
      event(exchange, 'response.in_progress', { response }),
      event(exchange, 'response.output_item.added', { output_index: 0, item: { ...messageOf(exchange), status: 'in_progress', content: [] } }),
      event(exchange, 'response.content_part.added', { ...placeOf(exchange), part: partOf('') }),
    ]
  },

  part: (exchange, text) => [event(exchange, 'response.output_text.delta', { ...placeOf(exchange), delta: text, logprobs: [] })],

  closing(exchange) {
    const text = exchange.answer.words.join('')
    const status = exchange.answer.isCut ? 'incomplete' : 'completed'
    return [
      event(exchange, 'response.output_text.done', { ...placeOf(exchange), text, logprobs: [] }),
      event(exchange, 'response.content_part.done', { ...placeOf(exchange), part: partOf(text) }),
      event(exchange, 'response.output_item.done', { output_index: 0, item: messageOf(exchange) }),
      event(exchange, `response.${status}`, { response: responseOf(exchange, status) }),
    ]
  },

  error: openaiError,
}

function readInstructions({ instructions }: Fields): string[] {
  return instructions === undefined || instructions === null ? [] : [readText(instructions, 'instructions')]
}

function readInput(input: unknown): string[] {
  if (!Array.isArray(input)) return [readContent(input, 'input', TEXT_PARTS)]
  return readMessages(input.map(asMessage), 'input', TEXT_PARTS)
}

/** Without a role it is something other than a message, such as the result of a tool. */
function asMessage(item: unknown): unknown {
  return isFields(item) && item.role === undefined && typeof item.output === 'string' ? { role: 'tool', content: item.output } : item
}

function event({ nextNumber }: Exchange, type: string, data: object): StreamEvent {
  return { event: type, data: { type, ...data, sequence_number: nextNumber() } }
}

function placeOf({ id }: Exchange): object {
  return { item_id: `msg_${id}`, output_index: 0, content_index: 0 }
}

function partOf(text: string): object {
  return { type: 'output_text', text, annotations: [], logprobs: [] }
}

function messageOf({ id, answer }: Exchange): object {
  const status = answer.isCut ? 'incomplete' : 'completed'
  return { id: `msg_${id}`, type: 'message', status, role: 'assistant', content: [partOf(answer.words.join(''))] }
}

function responseOf(exchange: Exchange, status: 'in_progress' | 'completed' | 'incomplete'): object {
  const { id, createdS, question, answer } = exchange
  const { snapshot } = findModel(question.model, 'openai') as Model
  const { fresh, cached, reasoning, words } = answer.used
  const usage = {
    input_tokens: fresh + cached,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: reasoning + words,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: fresh + cached + reasoning + words,
  }
  const isOver = status !== 'in_progress'
  return {
    id: `resp_${id}`, object: 'response', created_at: createdS, status, model: snapshot, output: isOver ? [messageOf(exchange)] : [],
    usage: isOver ? usage : null, error: null, incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions: null, max_output_tokens: question.maxTokens, metadata: {}, parallel_tool_calls: true, previous_response_id: null,
    temperature: 1, text: { format: { type: 'text' } }, tool_choice: 'auto', tools: [], top_p: 1, truncation: 'disabled', user: question.user,
  }
}
