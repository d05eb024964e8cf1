// A line between a client and its Redis that can be held, cut, or lose a single reply after the server has done what it was asked.
// It forwards whole messages and knows which reply belongs to which command; it must not know what they mean.

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Framing, isPush, wordsOf } from './framing.js'

/** Chooses commands by their words, such as `['evalsha', …]`. */
export type CommandFilter = (words: readonly string[]) => boolean

/** What a client sees where its reply is lost: a connection that breaks, or one that stays silent. */
export type LostReply = 'cut' | 'silence'

/** The commands that run a script. */
export const isScript: CommandFilter = ([name]) => name !== undefined && /^(evalsha|eval|fcall)$/i.test(name)

interface Loss {
  readonly matches: CommandFilter
  readonly seenAs: LostReply
  readonly done: (words: readonly string[]) => void
}

/** One client's line through the proxy. */
export class ProxiedConnection {
  readonly #client: Socket
  readonly #server: Socket
  readonly #proxy: TcpProxy
  readonly #requests = new Framing()
  readonly #replies = new Framing()
  readonly #unanswered: { readonly words: readonly string[]; readonly loss: Loss | undefined }[] = []
  #toServer: Buffer[] = []
  #toClient: Buffer[] = []
  #isHeld: boolean
  #isSilent = false

  /** Joins a client to the server. */
  constructor(client: Socket, port: number, proxy: TcpProxy, isHeld: boolean) {
    this.#client = client
    this.#server = connect(port, '127.0.0.1')
    this.#proxy = proxy
    this.#isHeld = isHeld
    client.on('data', (bytes) => this.#asked(bytes))
    this.#server.on('data', (bytes) => this.#answered(bytes))
    for (const socket of [client, this.#server]) {
      socket.setNoDelay(true)
      socket.on('error', () => this.cut())
      socket.on('close', () => this.cut())
    }
  }

  /** Keeps what either side says until `pass`. */
  hold(): void {
    this.#isHeld = true
  }

  /** Lets everything through again, first what was held. */
  pass(): void {
    this.#isHeld = false
    for (const message of this.#toServer.splice(0)) this.#server.write(message)
    for (const message of this.#toClient.splice(0)) this.#client.write(message)
  }

  /** Breaks the connection; what was held is lost. */
  cut(): void {
    this.#client.destroy()
    this.#server.destroy()
    this.#proxy.connections.delete(this)
  }

  #asked(bytes: Buffer): void {
    for (const message of this.#requests.push(bytes)) {
      const words = wordsOf(message)
      this.#proxy.commands.push(words)
      this.#unanswered.push({ words, loss: this.#proxy.lossFor(words) })
      if (this.#isHeld) this.#toServer.push(message)
      else this.#server.write(message)
    }
  }

  #answered(bytes: Buffer): void {
    for (const message of this.#replies.push(bytes)) {
      const answered = isPush(message) ? undefined : this.#unanswered.shift()
      if (answered?.loss !== undefined) {
        answered.loss.done(answered.words)
        if (answered.loss.seenAs === 'cut') return this.cut()
        // A reply that is missing alone would give every later command the reply of another.
        this.#isSilent = true
      }
      if (this.#isSilent) continue
      if (this.#isHeld) this.#toClient.push(message)
      else this.#client.write(message)
    }
  }
}

/** See the head of this file. Passes everything until told otherwise. */
export class TcpProxy {
  readonly connections = new Set<ProxiedConnection>()
  /** Every command that clients have sent through it, word by word. */
  readonly commands: (readonly string[])[] = []
  readonly #listener: Server
  readonly #losses: Loss[] = []
  #isHeld = false
  #isRefusing = false

  private constructor(listener: Server) {
    this.#listener = listener
  }

  /** Listens on a free port for clients of the server on `targetPort`. */
  static async start(targetPort: number): Promise<TcpProxy> {
    const listener = createServer().listen(0, '127.0.0.1')
    const proxy = new TcpProxy(listener)
    listener.on('connection', (socket) => {
      if (proxy.#isRefusing) return void socket.destroy()
      proxy.connections.add(new ProxiedConnection(socket, targetPort, proxy, proxy.#isHeld))
    })
    await once(listener, 'listening')
    listener.unref()
    return proxy
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Holds every connection, also those to come. */
  hold(): void {
    this.#isHeld = true
    for (const connection of this.connections) connection.hold()
  }

  /** Lets everything through again, and new connections in. */
  pass(): void {
    this.#isHeld = false
    this.#isRefusing = false
    for (const connection of this.connections) connection.pass()
  }

  /** Breaks every connection; clients may connect again. */
  cut(): void {
    for (const connection of this.connections) connection.cut()
  }

  /** Breaks every connection and lets nobody in until `pass`. */
  refuse(): void {
    this.#isRefusing = true
    this.cut()
  }

  /** The next command that matches is carried out, but its reply is lost. Resolves with its words when that has happened. */
  loseReply(matches: CommandFilter = isScript, seenAs: LostReply = 'cut'): Promise<readonly string[]> {
    return new Promise((done) => void this.#losses.push({ matches, seenAs, done }))
  }

  /** The loss that is meant for this command; it is used up. */
  lossFor(words: readonly string[]): Loss | undefined {
    const index = this.#losses.findIndex(({ matches }) => matches(words))
    return index < 0 ? undefined : this.#losses.splice(index, 1)[0]
  }

  /** Breaks every connection and stops listening. */
  async stop(): Promise<void> {
    this.refuse()
    if (!this.#listener.listening) return
    await once(this.#listener.close(), 'close')
  }
}

/** Puts a line that can fail in front of a server: see {@link TcpProxy}. */
export function tcpProxy(target: { readonly port: number }): Promise<TcpProxy> {
  return TcpProxy.start(target.port)
}
