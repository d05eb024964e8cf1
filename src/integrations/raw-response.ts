// A response that is taken as it is, by asResponse(), and heard as it is read: every byte goes to its reader and to one who listens. Nothing is
// read ahead of the reader of a stream, and who leaves it stops the provider. Decides nothing, and knows no SDK.

/** How a response is heard. */
export interface Hearing {
  /** Read on without a reader: for an answer that is there as a whole. Else nobody reads ahead of the reader. */
  readonly isEager: boolean
  /** When it aborts, nothing more is heard, whether or not somebody reads. */
  readonly signal: AbortSignal
  /** Gets a response with the same bytes. The reader hears of the end when this has resolved. Must not reject. */
  listen(copy: Response, reader: Reader): Promise<void>
}

/** Who reads a response that is heard. */
export interface Reader {
  /** Aborts when he leaves before anything has come. */
  readonly left: AbortSignal
  /** Resolves when he waits for bytes, or there will be no more: before that, who listens has nothing to wait for. */
  wanted(): Promise<void>
}

/** A response with the body, status, headers and URL of another, which is read through it. `response` itself must have a body that nobody has read. */
export function heardResponse(response: Response, { isEager, signal, listen }: Hearing): Response {
  const { status, statusText, headers } = response
  const source = (response.body as ReadableStream<Uint8Array>).getReader()
  const copy = new Copy()
  const heard = listen(new Response(copy.body, { status, statusText, headers }), copy)
  if (signal.aborted) copy.leave()
  else signal.addEventListener('abort', () => copy.leave(), { once: true })
  const body = new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      copy.want()
      const value = await nextOf(source, async (error) => {
        copy.fail(error)
        await heard
      })
      if (value !== undefined) {
        // A byte stream takes the buffers that it is given for itself.
        copy.add(value.slice())
        return controller.enqueue(value)
      }
      copy.end()
      await heard
      controller.close()
      controller.byobRequest?.respond(0)
    },
    async cancel(reason) {
      copy.leave()
      await Promise.all([source.cancel(reason), heard])
    },
  }, { highWaterMark: isEager ? Number.POSITIVE_INFINITY : 0 })
  return lookingLike(new Response(body, { status, statusText, headers }), response)
}

/** The next bytes, or `undefined` at the end. */
async function nextOf(source: ReadableStreamDefaultReader<Uint8Array>, failed: (error: unknown) => Promise<void>): Promise<Uint8Array | undefined> {
  try {
    for (;;) {
      const { done, value } = await source.read()
      if (done) return undefined
      if (value.byteLength > 0) return value
    }
  } catch (error) {
    await failed(error)
    throw error
  }
}

/** The bytes for the one who listens, who gets all that the reader has got, whatever comes after it. */
class Copy implements Reader {
  readonly body: ReadableStream<Uint8Array>
  readonly #leaving = new AbortController()
  readonly #waiting: Uint8Array[] = []
  #hasBegun = false
  #end: { readonly error?: unknown } | undefined
  #isWanted = false
  #waiters: (() => void)[] = []

  constructor() {
    this.body = new ReadableStream<Uint8Array>({ pull: (controller) => this.#give(controller), cancel: () => this.end() }, { highWaterMark: 0 })
  }

  get left(): AbortSignal {
    return this.#leaving.signal
  }

  async wanted(): Promise<void> {
    while (!this.#isWanted && this.#end === undefined) await this.#change()
  }

  want(): void {
    this.#isWanted = true
    this.#wake()
  }

  add(bytes: Uint8Array): void {
    this.#isWanted = false
    if (this.#end !== undefined) return
    this.#hasBegun = true
    this.#waiting.push(bytes)
    this.#wake()
  }

  end(): void {
    this.#stop({})
  }

  fail(error: unknown): void {
    this.#stop({ error })
  }

  /** The SDKs take an error of this name for the end, and not for half an event. */
  leave(): void {
    this.#stop({ error: new DOMException('The reader of the response has left.', 'AbortError') })
    if (!this.#hasBegun) this.#leaving.abort()
  }

  #stop(end: { readonly error?: unknown }): void {
    this.#end ??= end
    this.#wake()
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const resume of waiters) resume()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => void this.#waiters.push(resolve))
  }

  async #give(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#waiting.length === 0 && this.#end === undefined) await this.#change()
    const bytes = this.#waiting.shift()
    if (bytes !== undefined) controller.enqueue(bytes)
    else if (this.#end !== undefined && 'error' in this.#end) controller.error(this.#end.error)
    else controller.close()
  }
}

/** Says of itself what only a response of fetch() can say. */
function lookingLike(made: Response, { url, redirected, type }: Response): Response {
  const clone = (): Response => lookingLike(Response.prototype.clone.call(made), { url, redirected, type } as Response)
  const said = Object.entries({ url, redirected, type, clone }).map(([name, value]) => [name, { value, configurable: true }])
  return Object.defineProperties(made, Object.fromEntries(said))
}
