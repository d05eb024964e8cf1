// A stand-in for the OpenAI and Anthropic APIs on this machine, plain and streamed, as far as the official SDKs need them.
// `GET /served` says what each user, and each API key, was served in microcents. It knows nothing of bursar.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerTo } from './answer.js'
import type { Api, Exchange, StreamEvent } from './api.js'
import { Bill, type Payer } from './bill.js'
import { chatCompletions } from './chat-completions.js'
import { embeddings } from './embeddings.js'
import { ApiError, parseBody } from './fields.js'
import { messages } from './messages.js'
import { findModel, type Model } from './models.js'
import { openaiError } from './openai-error.js'
import { responses } from './responses.js'

/** How a stand-in answers. */
export interface StandInOptions {
  /** How long it thinks before the first token. Default 5 ms. */
  readonly latencyMs?: number | undefined
  /** A user whose bill is made one microcent too high: a check of the bill must notice. */
  readonly miscounts?: string | undefined
}

/** A running stand-in. Disposing of it closes it. */
export interface StandIn extends AsyncDisposable {
  readonly url: string
  /** What the SDKs take as `baseURL`. */
  readonly openaiUrl: string
  readonly anthropicUrl: string
  close(): Promise<void>
}

const APIS: ReadonlyMap<string, Api> = new Map([
  ['POST /v1/chat/completions', chatCompletions],
  ['POST /v1/responses', responses],
  ['POST /v1/embeddings', embeddings],
  ['POST /v1/messages', messages],
])
const MOST_BYTES = 1_000_000
const WORDS_A_PIECE = 400
const IDLE_MS = 60_000

/** Starts a stand-in on a free port of 127.0.0.1. */
export async function startStandIn({ latencyMs = 5, miscounts }: StandInOptions = {}): Promise<StandIn> {
  const bill = new Bill(miscounts)
  let answered = 0
  const server = createServer((request, response) => {
    const route = `${request.method} ${request.url?.split('?')[0]}`
    if (route === 'GET /served') return answerJson(response, 200, bill)
    const id = String((answered += 1))
    const api = APIS.get(route)
    const answering = api === undefined ? Promise.reject(unknownRoute(route)) : answer(request, response, { api, bill, latencyMs, id })
    answering.catch((error: unknown) => answerError(response, error, api))
  })
  // Longer than clients keep idle connections: one that is reused never meets a server that is just closing it.
  server.keepAliveTimeout = IDLE_MS
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url, openaiUrl: `${url}/v1`, anthropicUrl: url, close, [Symbol.asyncDispose]: close }
}

interface Answering {
  readonly api: Api
  readonly bill: Bill
  readonly latencyMs: number
  readonly id: string
}

async function answer(request: IncomingMessage, response: ServerResponse, { api, bill, latencyMs, id }: Answering): Promise<void> {
  const key = keyOf(request)
  const question = api.read(parseBody(await readBody(request)))
  const model = findModel(question.model, api.provider)
  if (model === undefined) throw new ApiError(404, `The model \`${question.model}\` does not exist.`, 'invalid_request_error', 'model_not_found', 'model')
  const payer = { user: question.user, key }
  await sleep(latencyMs)
  // A client that wants to see a failure writes the status into its prompt.
  const failure = /#([45]\d\d)\b/.exec(question.texts.at(-1) ?? '')
  if (failure !== null) {
    bill.fail(payer)
    throw new ApiError(Number(failure[1]), 'The stand-in fails, as it was asked to.', 'server_error')
  }
  let number = 0
  const exchange = { id, createdS: Math.floor(Date.now() / 1_000), question, answer: answerTo(question), nextNumber: () => number++ }
  if (question.stream) return answerStream(response, exchange, { api, bill, payer, model, pauseMs: latencyMs / 5 })
  bill.serve(payer, model, exchange.answer.used)
  answerJson(response, 200, api.whole(exchange))
}

interface Streaming {
  readonly api: Api
  readonly bill: Bill
  readonly payer: Payer
  readonly model: Model
  readonly pauseMs: number
}

async function answerStream(response: ServerResponse, exchange: Exchange, { api, bill, payer, model, pauseMs }: Streaming): Promise<void> {
  const { words, used } = exchange.answer
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  send(response, api.opening(exchange))
  let sent = 0
  try {
    while (sent < words.length && !response.destroyed) {
      const piece = words.slice(sent, sent + WORDS_A_PIECE)
      send(response, api.part(exchange, piece.join('')))
      sent += piece.length
      await sleep(pauseMs)
    }
  } finally {
    // Counted before the client can learn that the answer is complete; a client that hangs up owes what it was sent.
    bill.serve(payer, model, { ...used, words: sent })
  }
  if (response.destroyed) return
  send(response, api.closing(exchange))
  response.end()
}

function send(response: ServerResponse, events: readonly StreamEvent[]): void {
  for (const { event, data } of events) {
    response.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`)
  }
}

function keyOf({ headers }: IncomingMessage): string {
  const given = headers['x-api-key'] ?? /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1]
  if (typeof given === 'string') return given
  throw new ApiError(401, "You didn't provide an API key.", 'invalid_request_error', 'invalid_api_key')
}

async function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > MOST_BYTES) throw new ApiError(413, `The body is larger than ${MOST_BYTES} bytes.`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

function unknownRoute(route: string): ApiError {
  return new ApiError(404, `Invalid URL (${route}).`, 'invalid_request_error', 'unknown_url')
}

function answerJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function answerError(response: ServerResponse, error: unknown, api: Api | undefined): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const known = error instanceof ApiError ? error : new ApiError(500, String(error), 'server_error')
  answerJson(response, known.status, (api?.error ?? openaiError)(known))
}
