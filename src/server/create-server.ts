// A whole server from one engine: what the routes work with is made here, and closed in the right order. What is answered, the routes know.

import type { IncomingMessage } from 'node:http'
import { InvalidConfigError } from '../errors/index.js'
import { attachOpenTelemetry } from '../telemetry/attach-open-telemetry.js'
import { createApp, type ServerApp } from './app.js'
import { writeEvents } from './engine-log.js'
import { Completeness, LACKS_ENTRIES } from './seeing/completeness.js'
import { Feed } from './seeing/feed.js'
import { Listening, type FetchHandler, type ServerAddress } from './http/listening.js'
import { isLoopback, strangeness } from './http/loopback.js'
import { assertAddress, assertKeyed } from './http/may-listen.js'
import { createMetrics } from './metrics.js'
import { documentOf, problemAnswer, tell } from './problem.js'
import { checkServerConfig, type CheckedConfig, type ServerConfig } from './server-config.js'
import { ServerKeys } from './server-keys.js'
import { Webhooks } from './webhooks/index.js'

/** Where to listen. */
export interface ListenOptions {
  /** Default 127.0.0.1: this machine alone. */
  readonly host?: string | undefined
  /** Default 8787; 0 takes one that is free. */
  readonly port?: number | undefined
  /** True for a process that is nothing but this server: quicker `Request` and `Response` take the place of the global ones. Default false. */
  readonly ownsProcess?: boolean | undefined
}

/** How a server has ended. */
export interface ServerClosed {
  /** Requests that took longer than `drain`, and were cut off. */
  readonly cutOff: number
}

/** A server. */
export interface BursarServer {
  /** Answers one request: for mounting it elsewhere. Without {@link listen}, every request needs a key. */
  readonly fetch: FetchHandler
  readonly app: ServerApp
  readonly keys: ServerKeys
  /**
   * Listens, and gives where. Rejects with `InvalidConfigError` where nobody may listen there, and for an address that others reach as long as
   * there is no key.
   */
  listen(options?: ListenOptions): Promise<ServerAddress>
  /**
   * Takes no more connections, ends the requests that are under way (see `drain`), stops the webhooks, and closes the engine with its store.
   * `/ready` answers 503 from the beginning. A second call gives the first one's promise.
   */
  close(): Promise<ServerClosed>
}

/** Makes a server of an engine, and writes what fails in its store into `log`: make both in one go. It listens when it is told to. Throws `InvalidConfigError` with the path of what is wrong. */
export function createServer(config: ServerConfig): BursarServer {
  return new EngineServer(checkServerConfig(config))
}

class EngineServer implements BursarServer {
  readonly app: ServerApp
  readonly keys: ServerKeys
  readonly #config: CheckedConfig
  readonly #feed: Feed
  readonly #webhooks: Webhooks
  readonly #tracing: Promise<(() => void) | undefined>
  #listening: Promise<Listening> | undefined
  #closing: Promise<ServerClosed> | undefined
  #isKeyed = false

  constructor(config: CheckedConfig) {
    this.#config = config
    const { engine, stripe, adminKey, log, options, metrics = createMetrics({ engine }) } = config
    writeEvents(engine, log)
    const { clock, registry } = engine.tracker
    this.keys = new ServerKeys({ registry, clock, adminKey })
    this.#webhooks = new Webhooks({ engine, clock, log, allowPrivate: options.allowPrivateWebhooks })
    this.#feed = new Feed(engine)
    this.app = createApp({ engine, keys: this.keys, webhooks: this.#webhooks, feed: this.#feed, metrics, stripe, clock, log, options })
    this.#webhooks.start()
    this.#tracing = attachOpenTelemetry(engine)
  }

  readonly fetch: FetchHandler = (request, env = {}) => {
    if (this.#closing !== undefined && new URL(request.url).pathname === '/ready') return problemAnswer(documentOf(503, 'UNAVAILABLE', 'The server is stopping.'))
    return this.app.fetch(request, env)
  }

  async listen({ host = '127.0.0.1', port = 8787, ownsProcess = false }: ListenOptions = {}): Promise<ServerAddress> {
    assertAddress(host, port)
    if (this.#closing !== undefined) throw new InvalidConfigError('listen: the server is closed. Make another one.')
    if (this.#listening !== undefined) throw new InvalidConfigError('listen: the server listens already. Make another one, or close this one first.')
    const isLocal = isLoopback(host)
    this.#listening = this.#listen(host, port, isLocal, ownsProcess)
    try {
      return (await this.#listening).address
    } catch (error) {
      this.#listening = undefined
      throw error
    }
  }

  close(): Promise<ServerClosed> {
    return (this.#closing ??= this.#close())
  }

  async #listen(host: string, port: number, isLocal: boolean, ownsProcess: boolean): Promise<Listening> {
    if (!isLocal) assertKeyed(host, await this.keys.hasAny())
    const listening = await Listening.on(isLocal ? this.#guarded : this.fetch, host, port, ownsProcess)
    this.keys.isOpen = isLocal
    void this.#warnIfIncomplete()
    return listening
  }

  /** That reports and the dashboard say less than was spent is known before somebody looks. */
  async #warnIfIncomplete(): Promise<void> {
    const { engine, log } = this.#config
    const isComplete = await new Completeness(engine.tracker).since(-Infinity).catch(() => true)
    if (!isComplete) log.warn({}, LACKS_ENTRIES)
  }

  /** What reaches this machine alone may still be a page's doing. */
  readonly #guarded: FetchHandler = (request, env) => {
    if (this.#isKeyed) return this.fetch(request, env)
    // As Node has read them: those of the request would be made for this alone.
    const { headers } = (env as { readonly incoming: IncomingMessage }).incoming
    const strange = strangeness({ method: request.method, header: (name) => headers[name]?.toString() })
    return strange === undefined ? this.fetch(request, env) : this.#unlessOpen(strange, request, env)
  }

  async #unlessOpen(strange: string, request: Request, env: object | undefined): Promise<Response> {
    try {
      // Once there was a key, a server does not open again.
      this.#isKeyed = (await this.keys.authenticate(undefined)) === undefined
    } catch (error) {
      return problemAnswer(tell(error, '').document)
    }
    if (this.#isKeyed) return this.fetch(request, env)
    return problemAnswer(documentOf(403, 'FORBIDDEN', `${strange}: without keys, only whoever is on this machine may ask. Make a key: bursar keys create --name operator --role admin.`))
  }

  async #close(): Promise<ServerClosed> {
    const listening = await this.#listening?.catch(() => undefined)
    // Streams of events never end by themselves.
    this.#feed.close()
    const cutOff = (await listening?.close(this.#config.drainMs)) ?? 0
    if (cutOff > 0) this.#config.log.warn({ requests: cutOff }, 'requests took longer than the time to drain, and were cut off')
    await this.#webhooks.close()
    ;(await this.#tracing)?.()
    await this.#config.engine.close()
    return { cutOff }
  }
}
