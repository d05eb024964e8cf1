// A line between a client and its Postgres that loses the reply to a commit after the server has done it. It looks for the word alone and
// must not know what else is said.

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** See the head of this file. Passes everything until told otherwise. */
export class PostgresLine {
  readonly #listener: Server
  readonly #target: URL
  readonly #sockets = new Set<Socket>()
  #loss: (() => void) | undefined

  private constructor(listener: Server, target: URL) {
    this.#listener = listener
    this.#target = target
  }

  /** Listens on a free port for clients of the server at a url. */
  static async start(url: string): Promise<PostgresLine> {
    const listener = createServer().listen(0, '127.0.0.1')
    const line = new PostgresLine(listener, new URL(url))
    listener.on('connection', (client) => line.#join(client))
    await once(listener, 'listening')
    listener.unref()
    return line
  }

  /** The same database, through this line. */
  get url(): string {
    const url = new URL(this.#target)
    url.host = `127.0.0.1:${(this.#listener.address() as AddressInfo).port}`
    return url.href
  }

  /** The next commit is done, but the connection breaks before its reply. Resolves when that has happened. */
  loseCommit(): Promise<void> {
    return new Promise((resolve) => (this.#loss = resolve))
  }

  /** Breaks every connection and stops listening. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#listener.close(), 'close')
  }

  #join(client: Socket): void {
    const server = connect(Number(this.#target.port), this.#target.hostname)
    let lost: (() => void) | undefined
    const cut = (): void => {
      for (const socket of [client, server]) {
        this.#sockets.delete(socket)
        socket.destroy()
      }
    }
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', cut)
      socket.on('close', cut)
    }
    client.on('data', (bytes) => {
      if (this.#loss !== undefined && bytes.includes('COMMIT\0')) [lost, this.#loss] = [this.#loss, undefined]
      server.write(bytes)
    })
    server.on('data', (bytes) => {
      if (lost === undefined) return void client.write(bytes)
      cut()
      lost()
      lost = undefined
    })
  }
}
