// The ledger in Redis: two streams that the scripts and this process append to, read here, and drained to a sink where there is one.
// An entry leaves a stream only once the sink has it; what a crash leaves in both, the sink keeps once.

import { StoreUnavailableError } from '../../errors/index.js'
import { MAX_NAMES, OTHERS, pageOf, sumsOf, UNKNOWN, type Conditions, type EntryField, type EntryPage, type EntrySource, type EntrySum, type LedgerEntry, type LedgerTotals, type ModelTotals } from '../../ledger/index.js'
import type { EntrySink } from '../auditing.js'
import type { LedgerSink } from '../contract.js'
import type { Connection } from './connection.js'
import { packJsonEntry } from './entries.js'
import { Unpacker } from './packing.js'
import { Streams } from './streams.js'

const DRAIN_EVERY_MS = 200

/** See the head of this file. */
export class RedisLedger implements LedgerSink {
  /** What was not drained yet. */
  readonly streams: Streams
  readonly #connection: Connection
  readonly #sink: EntrySink | undefined
  #draining: Promise<void> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  constructor(connection: Connection, sink: EntrySink | undefined) {
    this.#connection = connection
    this.streams = new Streams(connection)
    this.#sink = sink
  }

  async append(...entries: readonly LedgerEntry[]): Promise<void> {
    if (entries.length === 0) return
    const packed = entries.map(packJsonEntry)
    await this.#connection.run('note', (to) => {
      to.u32(packed.length)
      for (const entry of packed) to.sized32(() => to.bytes(entry))
      return to
    })
    this.drainSoon()
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    yield* (await this.#source()).entries()
  }

  async page(conditions: Conditions, limit: number, after?: string): Promise<EntryPage> {
    return pageOf(await this.#source(), conditions, limit, after)
  }

  async sums(conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): Promise<readonly EntrySum[]> {
    return sumsOf(await this.#source(), conditions, by, boundaries)
  }

  /** True where there is a sink, and what it keeps of an entry is all that there was to say. */
  get keepsAll(): boolean {
    return this.#sink !== undefined && this.#sink.isAnonymised !== true && this.#sink.isBounded !== true
  }

  /** Where entries are kept for good, if anywhere. */
  get sink(): EntrySink | undefined {
    return this.#sink
  }

  /** Where every entry is by now: the sink, or the streams. */
  async #source(): Promise<EntrySource> {
    if (this.#sink === undefined) return this.streams
    // What a lost data set had not drained is lost.
    if (!this.#connection.isLost) await this.drain()
    return this.#sink
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
    for (let items = await this.streams.first(); items.length > 0; items = await this.streams.first()) {
      try {
        await this.#sink.write(items.flatMap(({ entry }) => (entry === undefined ? [] : [entry])))
        const alerts = items.flatMap(({ alert }) => alert ?? [])
        if (alerts.length > 0) await this.#sink.announce?.(alerts)
      } catch (cause) {
        throw new StoreUnavailableError('redis: the sink does not take the ledger entries; they stay in the outbox. See the cause.', { cause })
      }
      await this.streams.remove(items)
    }
  }
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
