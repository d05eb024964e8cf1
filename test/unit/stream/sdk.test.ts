// The official clients' streams through bursar.stream(): read to the end, and left early, when the client must stop its request.

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { engine, INPUT, OUTPUT } from './kit.js'

/** Answers each request with these server-sent events, and leaves it open after them where `isOpen` says so. */
function answering(events: readonly (readonly [name: string | undefined, data: object | string])[], isOpen = false) {
  const seen: { signal: AbortSignal | undefined } = { signal: undefined }
  const fetch = async (_url: unknown, init?: { signal?: AbortSignal | null }): Promise<Response> => {
    seen.signal = init?.signal ?? undefined
    const text = events.map(([name, data]) => `${name === undefined ? '' : `event: ${name}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`).join('')
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(text))
        if (isOpen) init?.signal?.addEventListener('abort', () => controller.error(init.signal?.reason))
        else controller.close()
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
  return { seen, fetch: fetch as typeof globalThis.fetch }
}

const chunk = (content: string, more: object = {}) => [undefined, { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o', choices: [{ index: 0, delta: { content }, finish_reason: null }], ...more }] as const
const chat = [chunk('Hel'), chunk('lo'), chunk('', { choices: [], usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 } }), [undefined, '[DONE]']] as const
const message = [
  ['message_start', { type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'claude-test', content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 9, output_tokens: 1 } } }],
  ['content_block_start', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }],
  ['content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } }],
  ['content_block_stop', { type: 'content_block_stop', index: 0 }],
  ['message_delta', { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 2 } }],
  ['message_stop', { type: 'message_stop' }],
] as const

const openai = (fetch: typeof globalThis.fetch): OpenAI => new OpenAI({ apiKey: 'none', fetch, maxRetries: 0 })
const anthropic = (fetch: typeof globalThis.fetch): Anthropic => new Anthropic({ apiKey: 'none', fetch, maxRetries: 0 })
const request = { userId: 'u', inputTokens: 100, maxOutputTokens: 50 }

describe('a stream of the OpenAI client', () => {
  const open = (bursar: ReturnType<typeof engine>['bursar'], fetch: typeof globalThis.fetch) =>
    bursar.stream({ ...request, model: 'gpt-4o' }, ({ model, signal }) => openai(fetch).chat.completions.create({ model, messages: [], stream: true, stream_options: { include_usage: true } }, { signal }))

  it('is charged by the usage at its end', async () => {
    const { bursar, standing } = engine()
    let text = ''
    for await (const piece of await open(bursar, answering(chat).fetch)) text += piece.choices[0]?.delta.content ?? ''
    expect(text).toBe('Hello')
    expect(await standing()).toEqual({ spent: 9 * INPUT + 2 * OUTPUT, held: 0 })
  })

  it.each([0, 1])('stops its request when the reader leaves after %d pieces', async (pieces) => {
    const { bursar, standing } = engine()
    const { seen, fetch } = answering(chat.slice(0, 2), true)
    const stream = await open(bursar, fetch)
    const iterator = stream[Symbol.asyncIterator]()
    for (let read = 0; read < pieces; read += 1) await iterator.next()
    await iterator.return?.()
    expect(seen.signal?.aborted).toBe(true)
    expect(await standing()).toEqual({ spent: 100 * INPUT + 3 * pieces * OUTPUT, held: 0 })
  })
})

describe('a stream of the Anthropic client', () => {
  const open = (bursar: ReturnType<typeof engine>['bursar'], fetch: typeof globalThis.fetch) =>
    bursar.stream({ ...request, model: 'claude-test' }, ({ model, signal }) => anthropic(fetch).messages.create({ model, max_tokens: 50, messages: [], stream: true }, { signal }))

  it('is charged by the usage of its start and its last count', async () => {
    const { bursar, standing } = engine()
    let events = 0
    for await (const _event of await open(bursar, answering(message).fetch)) events += 1
    expect(events).toBe(6)
    expect(await standing()).toEqual({ spent: 9 * INPUT + 2 * OUTPUT, held: 0 })
  })

  it('stops its request when the reader leaves, and is charged the input it named', async () => {
    const { bursar, standing } = engine()
    const { seen, fetch } = answering(message.slice(0, 3), true)
    for await (const event of await open(bursar, fetch)) if (event.type === 'content_block_delta') break
    expect(seen.signal?.aborted).toBe(true)
    expect(await standing()).toEqual({ spent: 9 * INPUT + 5 * OUTPUT, held: 0 })
  })
})
