// What the pieces of OpenAI's streams say: chat completions, as many other providers send them too, and responses.

import { openaiUsage } from '../../pricing/index.js'
import type { StreamReader, StreamReading } from '../reading.js'

type Fields = Readonly<Record<string, unknown>>

const WRITTEN = ['content', 'refusal', 'reasoning_content', 'reasoning'] as const
const LAST_EVENTS: readonly unknown[] = ['response.completed', 'response.incomplete', 'response.failed']

/**
 * Reads one stream of chat completion chunks, completions, or response events; other pieces say nothing. A usage is the last word once the
 * model has finished: some providers send the count so far with every chunk. OpenAI sends it only where the request has
 * `stream_options: { include_usage: true }` (responses always do). Throws `InvalidRequestError` and `InvalidAmountError` for a usage that
 * is none. Audio counts as the text that it is sent as. A chunk of another answer (`id`) begins another answer, from the moment that two
 * chunks have shared an id: some servers give each chunk one of its own. A reader is for one stream.
 */
export function openaiReader(): StreamReader {
  let hasFinished = false
  let lastId: string | undefined
  let idsRecur = false
  const readId = (given: unknown): StreamReading => {
    if (typeof given !== 'string' || given === '') return {}
    idsRecur ||= given === lastId
    if (idsRecur && given !== lastId) hasFinished = false
    lastId = given
    return idsRecur ? { id: given } : {}
  }
  return (piece) => {
    if (!isFields(piece)) return undefined
    if (isResponseEvent(piece)) return readEvent(piece)
    if (!isChatChunk(piece)) return undefined
    const choices = (piece['choices'] as unknown[]).filter(isFields)
    // A usage alone is that of the answer before it, whatever id a server gives it.
    const isUsageAlone = choices.length === 0 && isFields(piece['usage'])
    const named = isUsageAlone && piece['id'] !== lastId ? {} : readId(piece['id'])
    hasFinished ||= choices.some(({ finish_reason: reason }) => typeof reason === 'string')
    return { ...named, ...readAnswer(piece, hasFinished || choices.length === 0), text: choices.map(textOf).join('') }
  }
}

/** True for what {@link openaiReader} reads. */
export function isOpenaiPiece(piece: unknown): boolean {
  return isFields(piece) && (isResponseEvent(piece) || isChatChunk(piece))
}

function isChatChunk(piece: Fields): boolean {
  return Array.isArray(piece['choices'])
}

function isResponseEvent({ type }: Fields): boolean {
  return typeof type === 'string' && type.startsWith('response.')
}

function readEvent({ type, delta, response }: Fields): StreamReading {
  if (typeof delta === 'string') return { text: delta }
  if (!isFields(response)) return {}
  const { id } = response
  return { ...(typeof id === 'string' && id !== '' && { id }), ...readAnswer(response, LAST_EVENTS.includes(type)) }
}

function readAnswer({ model, usage }: Fields, isLast: boolean): StreamReading {
  return {
    ...(typeof model === 'string' && model !== '' && { model }),
    ...(isFields(usage) && { usage: openaiUsage(usage), isFinal: isLast }),
  }
}

function textOf({ delta, text }: Fields): string {
  if (!isFields(delta)) return plain(text)
  const { tool_calls: tools, function_call: called, audio } = delta
  const calls = [...(Array.isArray(tools) ? tools : []).filter(isFields).map(({ function: fn, custom }) => fn ?? custom), called].filter(isFields)
  return [
    ...WRITTEN.map((field) => plain(delta[field])),
    ...calls.flatMap(({ name, arguments: given, input }) => [plain(name), plain(given), plain(input)]),
    isFields(audio) ? plain(audio['transcript']) + plain(audio['data']) : '',
  ].join('')
}

/** Some providers write lists of parts: their text is in there, and somewhat more. */
function plain(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : ''
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
