// The ledger in Redis: two streams that the scripts and this process append to, read here, and drained to a sink where there is one.
// An entry leaves a stream only once the sink has it; what a crash leaves in both, the sink keeps once.

import { StoreUnavailableError } from '../../errors/index.js'
import { MAX_NAMES, OTHERS, UNKNOWN, type LedgerEntry, type LedgerTotals, type ModelTotals } from '../../ledger/index.js'
import type { EntrySink } from '../auditing.js'
import type { Effect, LedgerSink } from '../contract.js'
import type { Connection } from './connection.js'
import { packJsonEntry, unpackAlert, unpackEntry } from './entries.js'
import { Unpacker } from './packing.js'

const PAGE = 500
const DRAIN_EVERY_MS = 200

/** One item of a stream. */
interface Item {
  readonly id: string
  readonly entry: LedgerEntry | undefined
  readonly alert: Extract<Effect, { kind: 'threshold' }> | undefined
  /** Of a note: the item of the outbox after which it was written. */
  readonly after: string
}

/** See the head of this file. */
export class RedisLedger implements LedgerSink {
  readonly #connection: Connection
  readonly #sink: EntrySink | undefined
  #draining: Promise<void> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  constructor(connection: Connection, sink: EntrySink | undefined) {
    this.#connection = connection
    this.#sink = sink
  }

  async append(entry: LedgerEntry): Promise<void> {
    await this.#connection.run('note', (to) => to.bytes(packJsonEntry(entry)))
    this.drainSoon()
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    if (this.#sink !== undefined) {
      // What a lost data set had not drained is lost.
      if (!this.#connection.isLost) await this.drain()
      yield* this.#sink.entries()
      return
    }
    yield* this.#inStreams()
  }

  /** What stands in the streams, by the time of writing. */
  async *#inStreams(): AsyncIterable<LedgerEntry> {
    await this.#connection.fields()
    const outbox = this.#pages(this.#outbox)
    const notes = this.#pages(this.#notes)
    let [first, second] = [await outbox.next(), await notes.next()]
    while (first.done !== true || second.done !== true) {
      const takesFirst = second.done === true || (first.done !== true && !isBefore(second.value.after, first.value.id))
      const { entry } = (takesFirst ? first.value : second.value) as Item
      if (entry !== undefined) yield entry
      if (takesFirst) first = await outbox.next()
      else second = await notes.next()
    }
  }

  async totals(): Promise<LedgerTotals> {
    const [list] = await this.#connection.fields('T')
    const names = namesIn(list ?? Buffer.alloc(0))
    const sums = await this.#connection.fields(...names.map((name) => `t${name}`))
    const all = { microcents: 0, tokens: 0, entries: 0 }
    const [byModel, byProvider, byTier] = [new Map<string, ModelTotals>(), new Map<string, ModelTotals>(), new Map<string, ModelTotals>()]
    sums.forEach((bytes, index) => {
      if (bytes === null) return
      const from = new Unpacker(bytes)
      const sum = { microcents: from.f64(), tokens: from.f64(), entries: from.f64() }
      const [model, provider, tier] = (names[index] as string).split('\0')
      addTo(byModel, model, sum)
      addTo(byProvider, provider, sum)
      addTo(byTier, tier, sum)
      all.microcents += sum.microcents
      all.tokens += sum.tokens
      all.entries += sum.entries
    })
    return { ...all, byModel, byProvider, byTier }
  }

  /** Drains in a moment: a burst of entries is written to the sink together. */
  drainSoon(): void {
    if (this.#sink === undefined || this.#timer !== undefined || this.#isClosed) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      // What fails stays in the outbox, and is drained with the next.
      this.drain().catch(() => {})
    }, DRAIN_EVERY_MS)
    this.#timer.unref?.()
  }

  /** Moves everything that stands in the streams to the sink. Rejects where the sink or Redis fails; then nothing was lost. */
  async drain(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining.catch(() => {})
    this.#draining = this.#drainAll().finally(() => {
      this.#draining = undefined
    })
    await this.#draining
  }

  /** Drains once more and stops. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    if (this.#sink !== undefined && !this.#isClosed) {
      this.#isClosed = true
      await this.drain().catch(() => {})
    }
    this.#isClosed = true
  }

  async #drainAll(): Promise<void> {
    if (this.#sink === undefined) return
    for (const stream of [this.#outbox, this.#notes]) {
      for (;;) {
        const items = await this.#page(stream, '-')
        if (items.length === 0) break
        try {
          await this.#sink.write(items.flatMap(({ entry }) => (entry === undefined ? [] : [entry])))
          const alerts = items.flatMap(({ alert }) => alert ?? [])
          if (alerts.length > 0) await this.#sink.announce?.(alerts)
        } catch (cause) {
          throw new StoreUnavailableError('redis: the sink does not take the ledger entries; they stay in the outbox. See the cause.', { cause })
        }
        await this.#connection.command('XDEL', stream, ...items.map(({ id }) => id))
      }
    }
  }

  async *#pages(stream: string): AsyncGenerator<Item> {
    let from = '-'
    for (;;) {
      const items = await this.#page(stream, from)
      yield* items
      if (items.length < PAGE) return
      from = `(${(items.at(-1) as Item).id}`
    }
  }

  async #page(stream: string, from: string): Promise<Item[]> {
    const items = (await this.#connection.command('XRANGE', stream, from, '+', 'COUNT', PAGE)) as [Buffer, Buffer[]][]
    // Beside what it is, an item of the outbox may have the details of a cost, and a note has its place.
    return items.map(([id, [, item, , second]]) => {
      const isNote = stream === this.#notes
      return { id: id.toString(), entry: unpackEntry(item as Buffer, isNote ? undefined : second), alert: unpackAlert(item as Buffer), after: (isNote && second?.toString()) || '' }
    })
  }

  get #outbox(): string {
    return this.#connection.keys[5] as string
  }

  get #notes(): string {
    return this.#connection.keys[6] as string
  }
}

function isBefore(a: string, b: string): boolean {
  const [aTime, aCount] = a.split('-').map(Number) as [number, number]
  const [bTime, bCount] = b.split('-').map(Number) as [number, number]
  return aTime < bTime || (aTime === bTime && aCount < bCount)
}

function namesIn(bytes: Buffer): string[] {
  const names: string[] = []
  for (const from = new Unpacker(bytes); !from.isDone; ) names.push(from.text16())
  return names
}

function addTo(sums: Map<string, ModelTotals>, given: string | undefined, sum: ModelTotals): void {
  const named = given === undefined || given === '' ? UNKNOWN : given
  const name = sums.has(named) || sums.size < MAX_NAMES ? named : OTHERS
  const before = sums.get(name) ?? { microcents: 0, tokens: 0, entries: 0 }
  sums.set(name, { microcents: before.microcents + sum.microcents, tokens: before.tokens + sum.tokens, entries: before.entries + sum.entries })
}
