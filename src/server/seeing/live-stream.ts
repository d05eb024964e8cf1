// One who listens to the feed, as a stream of server-sent events: bounded in what waits for them, in how long they stay, and to as long as
// their key is good: nothing is sent with one that was found to be none, and nothing without having asked.

import type { Caller } from '../caller.js'
import type { Feed } from './feed.js'
import type { LiveEvent } from './views.js'

/** What a {@link LiveStream} works with. */
export interface LiveStreamOptions {
  readonly feed: Feed
  readonly caller: Caller
  /** Whether the key is still good, as of at most a second ago: asked before anything is sent, and each second. What it rejects with changes nothing: what was known stands. */
  readonly isValid: () => Promise<boolean>
  readonly now: () => number
  /** Called once, when it is over, whoever ended it. */
  readonly onEnd: () => void
}

/** How many events wait for a slow reader; of more, the oldest are lost, and the reader is told. */
export const MOST_WAITING = 500
/** How often the key is looked at where nothing happens, */
export const LOOK_MS = 1_000
/** and how often something is sent. */
export const HEARTBEAT_MS = 15_000
/** After so many heartbeats, an hour, the client is to come again. */
export const MOST_HEARTBEATS = 240

const RETRY = 'retry: 2000\n\n'
const HEARTBEAT = ': \n\n'

/** The events of one listener as text. It ends with the client, the feed, the key, or after an hour. */
export class LiveStream {
  readonly body: ReadableStream<Uint8Array>
  readonly #options: LiveStreamOptions
  readonly #leave: () => void
  readonly #timer: ReturnType<typeof setInterval>
  readonly #encoder = new TextEncoder()
  #waiting: string[] = [RETRY]
  #hasMissed = false
  #isOver = false
  #looks = 0
  #wake: (() => void) | undefined

  constructor(options: LiveStreamOptions) {
    const { feed, caller } = options
    this.#options = options
    const unsubscribe = feed.subscribe(caller, (event) => this.#push(eventText(event)))
    const forget = feed.onClose(() => this.#end())
    this.#leave = () => {
      unsubscribe()
      forget()
    }
    this.#timer = setInterval(() => void this.#look(), LOOK_MS)
    this.#timer.unref()
    this.body = new ReadableStream<Uint8Array>({ pull: (controller) => this.#pull(controller), cancel: () => this.#end() }, { highWaterMark: 0 })
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.#waiting.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#wake = undefined
    await this.#endWithKey()
    const missed = this.#hasMissed ? eventText({ type: 'changed', at: new Date(this.#options.now()).toISOString(), what: 'missed' }) : ''
    const text = missed + this.#waiting.join('')
    this.#waiting = []
    this.#hasMissed = false
    if (text !== '') controller.enqueue(this.#encoder.encode(text))
    if (this.#isOver) controller.close()
  }

  #push(text: string): void {
    if (this.#isOver) return
    if (this.#waiting.length >= MOST_WAITING) {
      this.#waiting.shift()
      this.#hasMissed = true
    }
    this.#waiting.push(text)
    this.#wake?.()
  }

  async #look(): Promise<void> {
    this.#looks += 1
    const beats = (this.#looks * LOOK_MS) / HEARTBEAT_MS
    if (beats >= MOST_HEARTBEATS) this.#end()
    else if (Number.isInteger(beats)) this.#push(HEARTBEAT)
    else await this.#endWithKey()
  }

  /** What waits for a key that is none any more is never sent. */
  async #endWithKey(): Promise<void> {
    if (this.#isOver || (await this.#options.isValid().catch(() => true))) return
    this.#waiting = []
    this.#hasMissed = false
    this.#end()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#timer)
    this.#leave()
    this.#options.onEnd()
    this.#wake?.()
  }
}

function eventText(event: LiveEvent): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}
