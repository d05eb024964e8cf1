// Tells by its shape whose a piece is.

import type { StreamReader } from '../reading.js'
import { anthropicReader, isAnthropicPiece } from './anthropic.js'
import { isOpenaiPiece, openaiReader } from './openai.js'

/**
 * Reads one stream of whichever provider's pieces it knows: OpenAI's chunks and events, Anthropic's events; a string is text. Of other pieces
 * nothing is known, and a stream of them is charged its estimate. A reader is for one stream.
 */
export function anyReader(): StreamReader {
  const openai = openaiReader()
  const anthropic = anthropicReader()
  return (piece) => {
    if (typeof piece === 'string') return { text: piece }
    if (isOpenaiPiece(piece)) return openai(piece)
    return isAnthropicPiece(piece) ? anthropic(piece) : undefined
  }
}
