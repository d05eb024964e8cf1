// Tells by its shape whose a piece is.

import type { StreamReader } from '../reading.js'
import { anthropicReader, isAnthropicPiece } from './anthropic.js'
import { isOpenaiPiece, openaiReader } from './openai.js'

/** What servers of either provider send beside the answer. */
const WITHOUT_COST: readonly unknown[] = ['error', 'keepalive']

/**
 * Reads one stream of whichever provider's pieces it knows: OpenAI's chunks and events, Anthropic's events; a string is text. Known pieces
 * without text say `{}`; of other pieces nothing is known (`undefined`). A reader is for one stream.
 */
export function anyReader(): StreamReader {
  const openai = openaiReader()
  const anthropic = anthropicReader()
  return (piece) => {
    if (typeof piece === 'string') return { text: piece }
    if (isOpenaiPiece(piece)) return openai(piece)
    if (isAnthropicPiece(piece)) return anthropic(piece)
    return isWithoutCost(piece) ? {} : undefined
  }
}

function isWithoutCost(piece: unknown): boolean {
  return typeof piece === 'object' && piece !== null && WITHOUT_COST.includes((piece as { readonly type?: unknown }).type)
}
