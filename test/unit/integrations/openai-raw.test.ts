// bursar/openai: responses that are taken as they are, by asResponse(). Whoever reads them is metered, and nobody reads ahead of him.

import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { heardResponse, type Reader } from '../../../src/integrations/raw-response.js'
import { withBudget } from '../../../src/integrations/openai.js'
import { events, half, json, startProvider, type Provider } from '../../support/integrations/provider.js'
import { allOf } from '../setting.js'
import { CHUNKS_COST, chunks, COMPLETION_COST, completion, response } from './openai-replies.js'
import { charged, charges, engine, errorOf, moneyOf } from './setting.js'

const hello = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'Hello' }], max_completion_tokens: 50 }
const streamed = { ...hello, stream: true as const }
const leftAfter = (text: string): number => (Buffer.byteLength(JSON.stringify(streamed)) + 68) * 250 + Buffer.byteLength(text) * 1_000

let provider: Provider
let openai: OpenAI
beforeEach(async () => {
  provider = await startProvider(events(chunks))
  openai = new OpenAI({ baseURL: provider.url, apiKey: 'any', maxRetries: 0, logLevel: 'off' })
})
afterEach(() => provider[Symbol.asyncDispose]())

function budgeted(client = openai): ReturnType<typeof engine> & { client: OpenAI } {
  const setting = engine()
  return { ...setting, client: withBudget(client, setting.bursar, { userId: 'ada' }) }
}

/** A client whose provider streams without an end, and what is known of the stream. */
function endless(): { client: OpenAI; seen: { pulled: number; cancelled: unknown } } {
  const seen = { pulled: 0, cancelled: undefined as unknown }
  const body = (): ReadableStream => new ReadableStream({
    pull(controller) {
      if (seen.pulled === 100) return controller.close()
      seen.pulled += 1
      controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(chunks[0])}\n\n`))
    },
    cancel: (reason) => void (seen.cancelled = reason),
  }, { highWaterMark: 0 })
  const fetch = async (): Promise<Response> => new Response(body(), { headers: { 'content-type': 'text/event-stream' } })
  return { client: new OpenAI({ apiKey: 'any', fetch, maxRetries: 0, logLevel: 'off' }), seen }
}

describe('a stream whose response is taken as it is', () => {
  it('is charged before its reader hears of the end, with the bytes of the provider', async () => {
    const { client, bursar } = budgeted()
    const raw = await client.chat.completions.create(streamed).asResponse()
    expect(await raw.text()).toBe([...chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`), 'data: [DONE]\n\n'].join(''))
    expect(await moneyOf(bursar)).toEqual({ spent: CHUNKS_COST, held: 0 })
  })

  it('looks like the response of the provider, and so does its clone', async () => {
    const { client, bursar } = budgeted()
    const plain = await openai.chat.completions.create(streamed).asResponse()
    const raw = await client.chat.completions.create(streamed).asResponse()
    const copy = raw.clone()
    for (const one of [raw, copy]) {
      expect(one).toBeInstanceOf(Response)
      expect([one.status, one.statusText, one.ok, one.url, one.redirected, one.type, one.bodyUsed]).toEqual([200, 'OK', true, plain.url, false, plain.type, false])
      expect(one.headers.get('x-request-id')).toBe('req_1')
    }
    const [text, same] = await Promise.all([raw.text(), copy.text()])
    expect([same, raw.bodyUsed]).toEqual([text, true])
    expect((await charges(bursar)).map(({ microcents }) => microcents)).toEqual([CHUNKS_COST])
  })

  it('ends its request and is charged for what was seen when its reader cancels', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events(chunks.slice(0, 1), 'silence'))
    const reader = (await client.chat.completions.create(streamed).asResponse()).body?.getReader()
    await reader?.read()
    await reader?.cancel()
    expect(await charges(bursar)).toMatchObject([{ kind: 'settled', microcents: leftAfter('Hel'), details: { estimated: true } }])
    await provider.left
  })

  it('ends its request when its reader cancels while he waits for more', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events(chunks.slice(0, 1), 'silence'))
    const reader = (await client.chat.completions.create(streamed).asResponse()).body?.getReader()
    await reader?.read()
    const waiting = reader?.read()
    await reader?.cancel()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(await moneyOf(bursar)).toEqual({ spent: leftAfter('Hel'), held: 0 })
    await provider.left
  })

  it('is not read ahead of its reader, and the provider hears why he left', async () => {
    const { client, seen } = endless()
    const { client: wrapped, bursar } = budgeted(client)
    const raw = await wrapped.chat.completions.create(streamed).asResponse()
    expect(seen.pulled).toBe(0)
    const reader = raw.body?.getReader()
    for (let count = 0; count < 5; count += 1) await reader?.read()
    expect(seen.pulled).toBe(5)
    await reader?.cancel('enough')
    expect(seen).toEqual({ pulled: 5, cancelled: 'enough' })
    expect(await moneyOf(bursar)).toEqual({ spent: leftAfter('Hel'.repeat(5)), held: 0 })
  })

  it('is charged, and ends its request, when its reader leaves without a look', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events(chunks.slice(0, 1), 'silence'))
    await (await client.chat.completions.create(streamed).asResponse()).body?.cancel()
    expect(await charges(bursar)).toMatchObject([{ kind: 'settled', microcents: leftAfter('') }])
    await provider.left
  })

  it('is charged when its caller aborts and nobody reads', async () => {
    const { client, bursar } = budgeted()
    const settled = charged(bursar)
    provider.reply(events(chunks.slice(0, 1), 'silence'))
    const abort = new AbortController()
    const raw = await client.chat.completions.create(streamed, { signal: abort.signal }).asResponse()
    abort.abort()
    expect(await settled).toBe(leftAfter(''))
    expect((await errorOf(raw.text())).name).toBe('AbortError')
  })

  it('is charged for what was seen when it breaks off, and its reader gets the error', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events(chunks.slice(0, 2), 'reset'))
    const raw = await client.chat.completions.create(streamed).asResponse()
    expect(await errorOf(raw.text())).toBeInstanceOf(Error)
    expect(await charges(bursar)).toMatchObject([{ kind: 'settled', microcents: leftAfter('Hello.'), details: { estimated: true } }])
  })

  it('goes on to its reader where the SDK could not have read it', async () => {
    const { client, bursar } = budgeted()
    provider.reply((answer) => answer.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${JSON.stringify(chunks[0])}\n\ndata: {nothing\n\ndata: more\n\n`))
    const raw = await client.chat.completions.create(streamed).asResponse()
    expect(await raw.text()).toContain('data: more')
    expect(await moneyOf(bursar)).toEqual({ spent: leftAfter('Hel'), held: 0 })
  })

  it('is charged once where the SDK reads it as well', async () => {
    const { client, bursar } = budgeted()
    const calling = client.chat.completions.create(streamed)
    const raw = await calling.asResponse()
    expect(await calling.asResponse()).toBe(raw)
    expect(await allOf(await calling)).toEqual(chunks.slice(0, 3))
    expect(raw.bodyUsed).toBe(true)
    expect((await charges(bursar)).map(({ microcents }) => microcents)).toEqual([CHUNKS_COST])
  })

  it('can be read into memory of its reader', async () => {
    const { client, bursar } = budgeted()
    const { body } = await client.chat.completions.create(streamed).asResponse()
    const reader = (body as ReadableStream<Uint8Array>).getReader({ mode: 'byob' })
    let text = ''
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(64))
      if (done) break
      text += Buffer.from(value).toString()
    }
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(await moneyOf(bursar)).toEqual({ spent: CHUNKS_COST, held: 0 })
  })
})

describe('who hears a response', () => {
  it('waits for nothing while its reader does not', async () => {
    const heard: string[] = []
    const listen = async (copy: Response, { wanted }: Reader): Promise<void> => {
      const pieces = (copy.body as ReadableStream<Uint8Array>).getReader()
      for (;;) {
        await wanted()
        heard.push('waits')
        const { done, value } = await pieces.read()
        if (done) return
        heard.push(Buffer.from(value).toString())
      }
    }
    const source = new ReadableStream({ pull: (controller) => (heard.length < 4 ? controller.enqueue(new TextEncoder().encode('x')) : controller.close()) }, { highWaterMark: 0 })
    const reader = heardResponse(new Response(source), { isEager: false, signal: new AbortController().signal, listen: (copy, one) => listen(copy, { left: one.left, wanted: () => one.wanted() }) }).body?.getReader()
    await new Promise(setImmediate)
    expect(heard).toEqual([])
    await reader?.read()
    await new Promise(setImmediate)
    expect(heard).toEqual(['waits', 'x'])
    await reader?.read()
    expect(await reader?.read()).toMatchObject({ done: true })
    expect(heard).toEqual(['waits', 'x', 'waits', 'x', 'waits'])
  })
})

describe('an answer whose response is taken as it is', () => {
  beforeEach(() => provider.reply(json(completion())))

  it('is charged whether or not somebody reads it', async () => {
    const { client, bursar } = budgeted()
    const settled = charged(bursar)
    const raw = await client.chat.completions.create(hello).asResponse()
    expect(await settled).toBe(COMPLETION_COST)
    expect(await raw.json()).toMatchObject({ id: 'chatcmpl-1' })
    expect(await moneyOf(bursar)).toEqual({ spent: COMPLETION_COST, held: 0 })
  })

  it('is charged where the SDK adds something to it', async () => {
    const { client, bursar } = budgeted()
    provider.reply(json(response()))
    const calling = client.responses.create({ model: 'gpt-4o', input: 'x', max_output_tokens: 50 })
    expect(await (await calling.asResponse()).json()).toEqual(response())
    expect(await moneyOf(bursar)).toEqual({ spent: COMPLETION_COST, held: 0 })
  })

  it('ends its request and is charged its estimate when its reader cancels before it is whole', async () => {
    const { client, bursar, errors } = budgeted()
    provider.reply((answer) => answer.writeHead(200, { 'content-type': 'application/json' }).write('{"id":'))
    const raw = await client.chat.completions.create(hello).asResponse()
    await raw.body?.cancel()
    await provider.left
    const [entry, ...others] = await charges(bursar)
    expect(entry?.microcents).toBe(entry?.estimatedMicrocents)
    expect([others, errors.length]).toEqual([[], 1])
  })

  it('is charged its estimate where it breaks off', async () => {
    const { client, bursar } = budgeted()
    provider.reply(half(completion()))
    expect(await errorOf((await client.chat.completions.create(hello).asResponse()).text())).toBeInstanceOf(Error)
    const [entry] = await charges(bursar)
    expect(entry?.microcents).toBe(entry?.estimatedMicrocents)
  })

  it('is charged where the response has no body', async () => {
    const { client, bursar } = budgeted()
    const settled = charged(bursar)
    provider.reply((answer) => answer.writeHead(204).end())
    const raw = await client.chat.completions.create(hello).asResponse()
    expect([raw.status, await raw.text()]).toEqual([204, ''])
    expect(await settled).toBe((await charges(bursar))[0]?.estimatedMicrocents)
  })
})
