// A stand-in for the OpenAI API on this machine: chat completions, plain and streamed, as far as the official SDK needs them.
// `GET /served` says what each user was served, in microcents. It knows nothing of bursar.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Bill } from './bill.js'
import { ApiError, readChatRequest, type ChatRequest } from './chat-request.js'
import { complete, type Completion } from './completion.js'
import { TOKEN_PRICES } from './prices.js'

/** How a stand-in answers. */
export interface StandInOptions {
  /** How long it thinks before the first token. Default 5 ms. */
  readonly latencyMs?: number | undefined
  /** A user whose bill is made one microcent too high: a check of the bill must notice. */
  readonly miscounts?: string | undefined
}

/** A running stand-in. `url` is what the SDK takes as `baseURL`. */
export interface StandIn {
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

const MOST_BYTES = 1_000_000
const WORDS_A_CHUNK = 400
const IDLE_MS = 60_000

/** Starts a stand-in on a free port of 127.0.0.1. */
export async function startStandIn({ latencyMs = 5, miscounts }: StandInOptions = {}): Promise<StandIn> {
  const bill = new Bill(miscounts)
  let answered = 0
  const server = createServer((request, response) => {
    handle(request, response, { bill, latencyMs, id: `chatcmpl-${(answered += 1)}` }).catch((error: unknown) => answerError(response, error))
  })
  // Longer than clients keep idle connections: one that is reused never meets a server that is just closing it.
  server.keepAliveTimeout = IDLE_MS
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}/v1`, port, close }
}

interface Answering {
  readonly bill: Bill
  readonly latencyMs: number
  readonly id: string
}

async function handle(request: IncomingMessage, response: ServerResponse, answering: Answering): Promise<void> {
  const route = `${request.method} ${request.url?.split('?')[0]}`
  if (route === 'GET /served') return answerJson(response, 200, answering.bill)
  if (route !== 'POST /v1/chat/completions') throw new ApiError(404, `Invalid URL (${route}).`, 'invalid_request_error', 'unknown_url')
  if (!/^Bearer \S+$/.test(request.headers.authorization ?? '')) {
    throw new ApiError(401, "You didn't provide an API key.", 'invalid_request_error', 'invalid_api_key')
  }
  const chat = readChatRequest(await readBody(request))
  if (!TOKEN_PRICES.has(chat.model)) {
    throw new ApiError(404, `The model \`${chat.model}\` does not exist.`, 'invalid_request_error', 'model_not_found', 'model')
  }
  await sleep(answering.latencyMs)
  // A client that wants to see a failure writes the status into its prompt.
  const failure = /#([45]\d\d)\b/.exec(chat.messages.at(-1)?.text ?? '')
  if (failure !== null) {
    answering.bill.fail(chat.user)
    throw new ApiError(Number(failure[1]), 'The stand-in fails, as it was asked to.', 'server_error')
  }
  const completion = complete(chat)
  await (chat.stream ? answerStream : answerWhole)(response, chat, completion, answering)
}

async function answerWhole(response: ServerResponse, chat: ChatRequest, completion: Completion, { bill, id }: Answering): Promise<void> {
  const { promptTokens, words, finishReason } = completion
  bill.serve(chat.user, chat.model, promptTokens, words.length)
  const message = { role: 'assistant', content: words.join(''), refusal: null }
  const choices = [{ index: 0, message, logprobs: null, finish_reason: finishReason }]
  answerJson(response, 200, { ...head(id, 'chat.completion', chat.model), choices, usage: usageOf(promptTokens, words.length) })
}

async function answerStream(response: ServerResponse, chat: ChatRequest, completion: Completion, { bill, id, latencyMs }: Answering): Promise<void> {
  const { promptTokens, words, finishReason } = completion
  const general = { ...head(id, 'chat.completion.chunk', chat.model), ...(chat.includeUsage && { usage: null }) }
  const send = (chunk: object): boolean => response.write(`data: ${JSON.stringify({ ...general, ...chunk })}\n\n`)
  const delta = (part: object, reason: string | null): boolean => send({ choices: [{ index: 0, delta: part, logprobs: null, finish_reason: reason }] })
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  delta({ role: 'assistant', content: '', refusal: null }, null)
  let sent = 0
  try {
    while (sent < words.length && !response.destroyed) {
      const part = words.slice(sent, sent + WORDS_A_CHUNK)
      delta({ content: part.join('') }, null)
      sent += part.length
      await sleep(latencyMs / 5)
    }
  } finally {
    // Counted before the client can learn that the answer is complete; a client that hangs up owes what it was sent.
    bill.serve(chat.user, chat.model, promptTokens, sent)
  }
  if (response.destroyed) return
  delta({}, finishReason)
  if (chat.includeUsage) send({ choices: [], usage: usageOf(promptTokens, sent) })
  response.end('data: [DONE]\n\n')
}

function head(id: string, object: string, model: string): object {
  return { id, object, created: Math.floor(Date.now() / 1_000), model, system_fingerprint: null }
}

function usageOf(promptTokens: number, completionTokens: number): object {
  return { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens }
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

function answerJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function answerError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, message, type, param, code } = error instanceof ApiError ? error : new ApiError(500, String(error), 'server_error')
  answerJson(response, status, { error: { message, type, param, code } })
}
