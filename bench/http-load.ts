// A client that costs little: the server is what is measured. One connection, one request at a time, and of an answer what must be read.

import { connect, type Socket } from 'node:net'

/** One connection that is kept: a request, its answer, the next request. It parses what it must, so that the server is what is measured. */
export class Connection {
  readonly #socket: Socket
  #waiting: ((body: Buffer) => void) | undefined
  #got: Buffer = Buffer.alloc(0)

  constructor(url: string) {
    const { hostname, port } = new URL(url)
    this.#socket = connect(Number(port), hostname).setNoDelay(true)
    this.#socket.on('data', (chunk) => this.#read(chunk))
    this.#socket.on('error', (error) => {
      throw error
    })
  }

  /** Posts JSON, with more header fields, each ended by CRLF. Throws, in the end of the process, where the answer is no success. */
  ask(path: string, token: string, body: string, fields = ''): Promise<Buffer> {
    return new Promise((resolve) => {
      this.#waiting = resolve
      this.#socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
    })
  }

  /** Ends it. */
  close(): void {
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    this.#got = this.#got.length === 0 ? chunk : Buffer.concat([this.#got, chunk])
    const end = this.#got.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = this.#got.toString('latin1', 0, end)
    if (!head.startsWith('HTTP/1.1 20')) throw new Error(this.#got.toString())
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (this.#got.length < end + 4 + length) return
    const body = this.#got.subarray(end + 4, end + 4 + length)
    this.#got = Buffer.alloc(0)
    this.#waiting?.(body)
  }
}

/** The id of a decision, from its JSON. */
export function idIn(answer: Buffer): string {
  return /"id":"([^"]+)"/.exec(answer.toString('latin1', 0, 200))?.[1] as string
}
