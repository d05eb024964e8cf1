// A stand-in for Stripe's API on this machine, as far as a sync reads it: the official SDK talks to it over HTTP. It changes nothing in the
// account, and it can be made slow, unreachable or broken. It knows nothing of bursar.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { StripeAccount } from './account.js'
import { answer, type ListsOfDeleted } from './answers.js'
import { ApiError, failure } from './api-error.js'

/** How a stand-in answers. */
export interface StripeStandInOptions {
  /** The only key that is let in. Default: any that is not empty. */
  readonly apiKey?: string
  /** What a list for a deleted customer is answered: 400 `resource_missing`, or what there was. Default 'refused'. */
  readonly listsOfDeleted?: ListsOfDeleted
}

/** One request as it came in. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  /** Keys as they were sent: `expand[0]`. */
  readonly query: Readonly<Record<string, string>>
}

/** What the SDK needs to find a stand-in: `new Stripe(key, standIn.address)`. */
export interface StandInAddress {
  readonly host: string
  readonly port: number
  readonly protocol: 'http'
}

const IDLE_MS = 60_000

/** A stand-in that answers for one account. */
export class StripeStandIn {
  /** Every request that came in, also those that were made to fail. */
  readonly requests: SeenRequest[] = []
  /** Called when an answer is computed and before it is sent: what it waits for makes the answer old. */
  beforeReply: ((request: SeenRequest) => Promise<void> | void) | undefined
  readonly #account: StripeAccount
  readonly #options: StripeStandInOptions
  #server: Server | undefined
  #port = 0
  #failures: number[] = []
  #hangUps = 0

  constructor(account: StripeAccount, options: StripeStandInOptions = {}) {
    this.#account = account
    this.#options = options
  }

  /** Where it listens. The port stays when it is stopped and started again. */
  get address(): StandInAddress {
    return { host: '127.0.0.1', port: this.#port, protocol: 'http' }
  }

  /** Listens on 127.0.0.1: on a free port at first, on the same one later. */
  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#handle(request, response))
    // Longer than clients keep idle connections: one that is reused never meets a server that is just closing it.
    server.keepAliveTimeout = IDLE_MS
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(this.#port, '127.0.0.1', resolve))
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  /** Cuts all connections and refuses new ones. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }

  /** The next `count` requests are answered with an error: 503, 429, any status. */
  failNext(count: number, status = 503): void {
    for (let left = count; left > 0; left -= 1) this.#failures.push(status)
  }

  /** The next `count` requests find their connection cut. The SDK tries a cut one once more even with `maxNetworkRetries: 0`. */
  hangUpNext(count: number): void {
    this.#hangUps += count
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    const { pathname: path, searchParams } = new URL(request.url ?? '/', 'http://stripe')
    const seen = { method: request.method ?? '', path, query: Object.fromEntries(searchParams) }
    this.requests.push(seen)
    if (this.#hangUps > 0) {
      this.#hangUps -= 1
      request.socket.destroy()
      return
    }
    // Serialised before anybody is waited for: whatever happens to the account meanwhile, this answer does not know.
    const { status, body } = this.#reply(seen, searchParams, request.headers.authorization)
    try {
      await this.beforeReply?.(seen)
    } catch {
      response.destroy()
      return
    }
    response.writeHead(status, { 'content-type': 'application/json', 'request-id': `req_StandIn${this.requests.length}` }).end(body)
  }

  #reply({ method, path }: SeenRequest, query: URLSearchParams, authorization: string | undefined): { status: number; body: string } {
    try {
      const told = this.#failures.shift()
      if (told !== undefined) throw failure(told)
      this.#admit(authorization)
      if (method !== 'GET') throw new ApiError(404, `Unrecognized request URL (${method}: ${path}).`)
      const { listsOfDeleted = 'refused' } = this.#options
      return { status: 200, body: JSON.stringify(answer(this.#account, { path, query }, listsOfDeleted), null, 2) }
    } catch (error) {
      const refused = error instanceof ApiError ? error : new ApiError(500, String(error), undefined, undefined, 'api_error')
      return { status: refused.status, body: JSON.stringify(refused, null, 2) }
    }
  }

  #admit(authorization: string | undefined): void {
    const key = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1]
    if (key === undefined) throw new ApiError(401, 'You did not provide an API key.')
    if (key !== (this.#options.apiKey ?? key)) throw new ApiError(401, `Invalid API Key provided: ${key}`)
  }
}
