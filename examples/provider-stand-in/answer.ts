// What the stand-in's model says: words and token counts that follow from the request alone, so that a run can be repeated.

import { createHash } from 'node:crypto'
import type { Question } from './api.js'
import type { Used } from './models.js'

/** An answer: one word for each token that is not the model's own thought. */
export interface Answer {
  readonly words: readonly string[]
  /** It wrote as much as it was allowed to. */
  readonly isCut: boolean
  /** What the whole answer uses. */
  readonly used: Used
}

const BYTES_A_TOKEN = 4
const TOKENS_A_TEXT = 4
const TOKENS_TO_START = 3
const TEXT = 'a hold is money set aside for one call and it ends once by settle or by release so that nothing is spent twice'
const WORDS = TEXT.split(' ')

/** The answer to a request: between a quarter of the tokens that it allows and all of them, some of them thought. */
export function answerTo(question: Question): Answer {
  const { model, texts, maxTokens, reasons } = question
  const seed = createHash('sha256').update(JSON.stringify([model, texts, maxTokens])).digest().readUInt32BE(0)
  const least = Math.ceil(maxTokens / 4)
  const written = least + (seed % (maxTokens - least + 1))
  const reasoning = reasons && seed % 4 === 0 ? Math.floor(written / 3) : 0
  const words = Array.from({ length: written - reasoning }, (_, index) => `${WORDS[(seed + index) % WORDS.length]} `)
  return { words, isCut: maxTokens > 0 && written === maxTokens, used: { ...read(question, seed), reasoning, words: words.length } }
}

type Read = Pick<Used, 'fresh' | 'cached' | 'written' | 'writtenForHour'>

function read({ texts, cache }: Question, seed: number): Read {
  const tokens = TOKENS_TO_START + tokensOf(texts)
  const none = { cached: 0, written: 0, writtenForHour: 0 }
  if (cache === 'by itself') {
    // An odd number of them is half a microcent on a model whose cached tokens cost seven and a half.
    const cached = seed % 3 === 0 ? Math.floor(tokens / 2) : 0
    return { ...none, fresh: tokens - cached, cached }
  }
  const marked = tokensOf(texts.slice(0, cache.texts))
  const fresh = tokens - marked
  if (seed % 2 === 0) return { ...none, fresh, cached: marked }
  return cache.forHour ? { ...none, fresh, writtenForHour: marked } : { ...none, fresh, written: marked }
}

function tokensOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Math.ceil(Buffer.byteLength(text) / BYTES_A_TOKEN) + TOKENS_A_TEXT, 0)
}
