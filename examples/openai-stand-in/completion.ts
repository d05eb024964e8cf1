// What the stand-in's model says: words and token counts that follow from the request alone, so that a run can be repeated.

import { createHash } from 'node:crypto'
import type { ChatRequest } from './chat-request.js'

/** An answer: one word for each token. */
export interface Completion {
  readonly promptTokens: number
  readonly words: readonly string[]
  readonly finishReason: 'stop' | 'length'
}

const BYTES_A_TOKEN = 4
const TOKENS_A_MESSAGE = 4
const TOKENS_TO_START = 3
const TEXT = 'a hold is money set aside for one call and it ends once by settle or by release so that nothing is spent twice'
const WORDS = TEXT.split(' ')

/** The answer to a request: between a quarter of the tokens that it allows and all of them. */
export function complete(request: ChatRequest): Completion {
  const { model, messages, maxTokens } = request
  const tokensOf = (text: string): number => Math.ceil(Buffer.byteLength(text) / BYTES_A_TOKEN) + TOKENS_A_MESSAGE
  const promptTokens = messages.reduce((sum, { text }) => sum + tokensOf(text), TOKENS_TO_START)
  const seed = createHash('sha256').update(JSON.stringify([model, messages, maxTokens])).digest().readUInt32BE(0)
  const least = Math.ceil(maxTokens / 4)
  const wanted = least + (seed % (maxTokens - least + 1))
  const words = Array.from({ length: wanted }, (_, index) => `${WORDS[(seed + index) % WORDS.length]} `)
  return { promptTokens, words, finishReason: wanted === maxTokens ? 'length' : 'stop' }
}
