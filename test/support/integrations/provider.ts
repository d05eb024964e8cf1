// A provider on this machine that says what a test tells it to say, over real HTTP.

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as it arrived. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  // oxlint-disable-next-line typescript/no-explicit-any -- what a client sends is what the test looks at
  readonly body: any
}

/** Answers one request. */
export type Reply = (response: ServerResponse, received: Received) => unknown

/** A server that answers with the replies it was given, in order; the last one goes on. */
export interface Provider extends AsyncDisposable {
  readonly url: string
  readonly received: Received[]
  /** The bodies of what was asked. */
  readonly bodies: Received['body'][]
  /** What comes next. */
  reply(...replies: Reply[]): void
  /** Resolves when the client has gone away from a request that was not answered to its end. */
  readonly left: Promise<void>
}

/** Starts one on a free port of 127.0.0.1. */
export async function startProvider(...first: Reply[]): Promise<Provider> {
  const received: Received[] = []
  let replies = first
  let noteLeft = (): void => {}
  const left = new Promise<void>((resolve) => {
    noteLeft = resolve
  })
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const asked = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: text === '' ? undefined : JSON.parse(text) }
    received.push(asked)
    response.on('close', () => void (response.writableFinished || noteLeft()))
    const [reply, ...others] = replies
    if (others.length > 0) replies = others
    await reply?.(response, asked)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    get bodies() {
      return received.map(({ body }) => body)
    },
    reply(...next) {
      replies = next
    },
    left,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** JSON. `retry-after-ms` lets a client that tries again do it at once. */
export const json =
  (body: unknown, status = 200): Reply =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', 'retry-after-ms': '1', 'x-request-id': 'req_1', 'request-id': 'req_1' }).end(JSON.stringify(body))

/** Text that is said to be JSON. */
export const malformed =
  (text: string): Reply =>
  (response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(text)

/** Server-sent events, and then the end, nothing at all, or a broken connection. */
export const events =
  (pieces: readonly object[], then: 'end' | 'silence' | 'reset' = 'end'): Reply =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': 'req_1' }).flushHeaders()
    for (const piece of pieces) {
      const { type } = piece as { readonly type?: string }
      response.write(`${type === undefined ? '' : `event: ${type}\n`}data: ${JSON.stringify(piece)}\n\n`)
    }
    if (then === 'end') response.end(pieces.some((piece) => 'type' in piece) ? '' : 'data: [DONE]\n\n')
    if (then === 'reset') setImmediate(() => response.destroy())
  }

/** No answer: the connection breaks. */
export const reset: Reply = (response) => response.destroy()

/** No answer, and the connection stays. */
export const silence: Reply = () => {}

/** Half of an answer, and then the connection breaks. */
export const half =
  (body: unknown): Reply =>
  (response) => {
    const text = JSON.stringify(body)
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) })
    response.write(text.slice(0, text.length / 2), () => response.destroy())
  }
