// Somebody who receives webhooks: a server on this machine that remembers what it was sent, and answers as a test wants.

import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** One request, as it came. */
export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** For an answer that comes later. */
  readonly response: ServerResponse
  /** Resolves when its connection is closed. */
  readonly closed: Promise<void>
}

/** Answers the request of that number, from 0 up. */
export type Answer = (response: ServerResponse, number: number) => void

const TAKEN: Answer = (response) => void response.writeHead(204).end()

/** See the head of this file. Closed with the test. */
export class Receiver {
  readonly received: Received[] = []
  answer: Answer = TAKEN
  readonly #server: Server
  #waiting: (() => void)[] = []

  private constructor() {
    this.#server = createServer((request, response) => {
      const closed = new Promise<void>((resolve) => response.on('close', resolve))
      let body = ''
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      request.on('end', () => {
        this.received.push({ path: request.url ?? '', headers: request.headers, body, response, closed })
        this.answer(response, this.received.length - 1)
        for (const call of this.#waiting.splice(0)) call()
      })
    })
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver()
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      receiver.#server.closeAllConnections()
      receiver.#server.close()
    })
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook?of=bursar`
  }

  /** Waits until so many requests have come in all. */
  async has(count: number): Promise<void> {
    while (this.received.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** What was received, read. */
  get messages(): any[] { // oxlint-disable-line typescript/no-explicit-any
    return this.received.map(({ body }) => JSON.parse(body))
  }
}
