// The socket of a server: how long it waits for slow clients, and how it ends without losing a request that it has taken. Knows nothing of what
// the requests are.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSocketServer, type AddressInfo, type Server as SocketServer, type Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { InvalidConfigError } from '../../errors/index.js'
import { steadyClock } from '../../time/index.js'
import { documentOf, problemAnswer } from '../problem.js'

/** Where a server listens. */
export interface ServerAddress {
  readonly host: string
  readonly port: number
  /** For people, and for clients on the same machine. */
  readonly url: string
}

/** A handler of the Fetch API; `env` has what is known of the connection. */
export type FetchHandler = (request: Request, env?: object) => Response | Promise<Response>

const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
/** Longer than the 60 seconds of most proxies: who is behind one must not be cut off by a connection that this end has just closed. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000
/** How long clients that keep a connection open are given to hear, with an answer, that it is closed. */
const FAREWELL_MS = 250
/** How long one that has begun to send the head of a request may take for it, once the server is closed. */
const HEAD_MS = 1_000
/** How long one that was accepted may say nothing, then: its first request is on its way. */
const SILENT_MS = 200
/** How often it is looked, then, which connections have nothing more to say. */
const LOOK_MS = 50

/** A server that listens. */
export class Listening {
  readonly #server: Server
  readonly address: ServerAddress
  /** By when they were accepted. */
  readonly #sockets = new Map<Socket, number>()
  /** Requests that are not answered whole. */
  readonly #answers = new Set<ServerResponse>()
  #isClosing = false

  private constructor(server: Server, host: string) {
    this.#server = server
    const { address, port, family } = server.address() as AddressInfo
    this.address = { host: address, port, url: `http://${host === 'localhost' ? host : family === 'IPv6' ? `[${address}]` : address}:${port}` }
    server.on('connection', (socket: Socket) => {
      this.#sockets.set(socket, steadyClock())
      socket.once('close', () => this.#sockets.delete(socket))
    })
    server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
      this.#answers.add(response)
      response.once('close', () => this.#answers.delete(response))
      if (this.#isClosing) response.setHeader('connection', 'close')
    })
  }

  /**
   * Listens. Port 0 takes one that is free. Rejects with `InvalidConfigError` where nobody may listen there, or somebody does. With
   * `replacesGlobals`, `Request` and `Response` of the process are the quick ones of the adapter: for a process that is nothing but a server.
   */
  static async on(fetch: FetchHandler, host: string, port: number, replacesGlobals: boolean): Promise<Listening> {
    const errorHandler = (): Response => problemAnswer(documentOf(400, 'MALFORMED', 'The request cannot be read. Send a path, and a Host that is one.'))
    const listener = getRequestListener(fetch, { overrideGlobalObjects: replacesGlobals, errorHandler })
    const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS, connectionsCheckingInterval: 5_000 }, listener)
    await listen(server, host, port)
    return new Listening(server, host.replace(/^\[(.*)\]$/, '$1'))
  }

  /** Rejects as {@link on} does where nobody may listen there, or somebody does: before anything is opened for whoever would. */
  static async assertFree(host: string, port: number): Promise<void> {
    if (port === 0) return
    const server = createSocketServer()
    await listen(server, host, port)
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }

  /**
   * Takes no more connections, lets requests that are under way end for at most `drainMs`, and cuts off the others. Gives how many requests it
   * has cut off.
   */
  async close(drainMs: number): Promise<number> {
    this.#isClosing = true
    const startedAt = steadyClock()
    for (const answer of this.#answers) if (!answer.headersSent) answer.setHeader('connection', 'close')
    // At first a client's next request on a connection that it keeps is still answered, with word that it was the last: to close an idle
    // connection at the moment of a request loses that.
    if (this.#sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(FAREWELL_MS, drainMs)))
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    let cutOff = 0
    const look = (): void => {
      this.#server.closeIdleConnections()
      const passed = steadyClock() - startedAt
      if (passed >= drainMs) {
        cutOff = Math.max(cutOff, this.#answers.size)
        this.#server.closeAllConnections()
      }
      this.#closeSilent(passed >= HEAD_MS)
    }
    look()
    const looking = setInterval(look, LOOK_MS)
    await closed
    clearInterval(looking)
    return cutOff
  }

  /** Ends connections on which no request is under way: those that have sent nothing, and with `all` those that have not sent a whole head. */
  #closeSilent(all: boolean): void {
    const busy = new Set([...this.#answers].map(({ socket }) => socket))
    const now = steadyClock()
    for (const [socket, acceptedAt] of this.#sockets) {
      const isSilent = socket.bytesRead === 0 && now - acceptedAt >= SILENT_MS
      if (!busy.has(socket) && (all || isSilent)) socket.destroy()
    }
  }
}

function listen(server: SocketServer, host: string, port: number): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(failureOf(error, host, port)))
    server.listen(port, host, resolve)
  })
}

function failureOf(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const { code } = error
  if (code === 'EADDRINUSE') return new InvalidConfigError(`port: ${port} of ${host} is in use. Stop what listens there, or give another port; 0 takes one that is free.`, { cause: error })
  if (code === 'EACCES') return new InvalidConfigError(`port: ${port} may not be listened on: permission is denied. Give one from 1024 up.`, { cause: error })
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') return new InvalidConfigError(`host: ${JSON.stringify(host)} is no address of this machine (${code}). Give 127.0.0.1, or 0.0.0.0 for all of its addresses.`, { cause: error })
  return error
}
