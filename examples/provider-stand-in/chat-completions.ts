// OpenAI's chat completions (platform.openai.com/docs/api-reference/chat), as far as its SDK needs them.

import type { Api, Exchange, StreamEvent } from './api.js'
import { isFields, readFlag, readMessages, readMostTokens, readText, readUser, wrong, type Fields } from './fields.js'
import { findModel, type Model } from './models.js'
import { openaiError } from './openai-error.js'

const DEFAULT_MAX_TOKENS = 256

/** `POST /v1/chat/completions`. */
export const chatCompletions: Api = {
  provider: 'openai',

  read(fields) {
    const { stream_options: options = null, n = 1 } = fields
    const model = readText(fields.model, 'model')
    const texts = readMessages(fields.messages, 'messages', ['text'])
    const stream = readFlag(fields.stream, 'stream')
    if (options !== null && !stream) throw wrong('stream_options', 'only allowed when stream is true')
    if (n !== 1) throw wrong('n', 'this stand-in gives one choice')
    const includeUsage = isFields(options) && options.include_usage === true
    return { model, user: readUser(fields.user, 'user'), texts, maxTokens: mostTokens(fields), cache: 'by itself', reasons: true, stream, includeUsage }
  },

  whole(exchange) {
    const message = { role: 'assistant', content: exchange.answer.words.join(''), refusal: null, annotations: [] }
    const choices = [{ index: 0, message, logprobs: null, finish_reason: reasonOf(exchange) }]
    return { ...head(exchange, 'chat.completion'), choices, usage: usageOf(exchange) }
  },

  opening: (exchange) => [delta(exchange, { role: 'assistant', content: '', refusal: null })],

  part: (exchange, text) => [delta(exchange, { content: text })],

  closing(exchange) {
    const usage = { ...head(exchange, 'chat.completion.chunk'), choices: [], usage: usageOf(exchange) }
    return [delta(exchange, {}, reasonOf(exchange)), ...(exchange.question.includeUsage ? [{ data: usage }] : []), { data: '[DONE]' }]
  },

  error: openaiError,
}

function mostTokens(fields: Fields): number {
  const param = fields.max_completion_tokens == null ? 'max_tokens' : 'max_completion_tokens'
  return readMostTokens(fields[param] ?? DEFAULT_MAX_TOKENS, param)
}

function delta(exchange: Exchange, part: object, reason: string | null = null): StreamEvent {
  const choices = [{ index: 0, delta: part, logprobs: null, finish_reason: reason }]
  return { data: { ...head(exchange, 'chat.completion.chunk'), choices, ...(exchange.question.includeUsage && { usage: null }) } }
}

function head({ id, createdS, question }: Exchange, object: string): object {
  const { snapshot } = findModel(question.model, 'openai') as Model
  return { id: `chatcmpl-${id}`, object, created: createdS, model: snapshot, service_tier: 'default', system_fingerprint: null }
}

function reasonOf({ answer }: Exchange): string {
  return answer.isCut ? 'length' : 'stop'
}

function usageOf({ answer }: Exchange): object {
  const { fresh, cached, reasoning, words } = answer.used
  return {
    prompt_tokens: fresh + cached,
    completion_tokens: reasoning + words,
    total_tokens: fresh + cached + reasoning + words,
    prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  }
}
