// Which decisions can be explained afterwards, where, and for how long: the newest ones in this process, and for a shared store also
// in its registry, written in the background. Never delays a decision, and never fails one.

import type { EnforcementAction } from '../enforcement/index.js'
import type { Registry } from '../store/index.js'
import type { Assessment } from './assessment.js'
import type { DenialCode } from './denial.js'
import type { Explanation } from './explanation.js'

/** Which decisions are kept to be explained, and how many. */
export interface DecisionLogConfig {
  /** `'notable'` (default): DEGRADE and BLOCK. `'all'` costs every check a little, and on a shared store a write in the background. */
  readonly keep?: 'notable' | 'all' | 'none' | undefined
  /** How many: in this process the newest ones; in a shared store as many places, where one that is full gives way to what is newer. Default 1,000. */
  readonly max?: number | undefined
}

/** A decision that may be explained. */
interface Kept {
  readonly assessment: Assessment
  readonly action: EnforcementAction
  readonly code: DenialCode | undefined
  readonly storeWasReset: boolean
}

const DEFAULT_MAX = 1_000
/** How many decisions wait for the store at the most. Older ones give way. */
const MOST_WAITING = 64
/** Among how many places a decision finds one that is free, or takes the oldest. */
const CHOICES = 4
const MOST_ATTEMPTS = 3
const KIND = 'decision'
const KEPT_MS = 30 * 86_400_000
/** What a registry is spared; the process that made the decision still explains it. */
const MOST_WRITTEN = 65_536

/** See the head of this file. */
export class DecisionLog {
  /** True where also ALLOW and WARN are kept. */
  readonly keepsAll: boolean
  readonly #keeps: 'notable' | 'all' | 'none'
  readonly #max: number
  readonly #registry: Registry | undefined
  readonly #failed: (error: unknown) => void
  /** By id, the newest last. */
  readonly #kept = new Map<string, Kept>()
  #waiting: Kept[] = []
  #writing: Promise<void> | undefined
  #isDue = false

  /** `registry`: that of a shared store. `failed` hears what it rejects with. */
  constructor({ keep = 'notable', max = DEFAULT_MAX }: DecisionLogConfig, registry: Registry | undefined, failed: (error: unknown) => void) {
    this.#keeps = keep
    this.keepsAll = keep === 'all'
    this.#max = max
    this.#registry = registry
    this.#failed = failed
  }

  /** Keeps a decision. A repeat that came to the same leaves the first one in its place, which says more. */
  keep(decided: Assessment, action: EnforcementAction, code?: DenialCode, storeWasReset = false): void {
    if (this.#keeps === 'none' || (this.#keeps === 'notable' && (action === 'ALLOW' || action === 'WARN'))) return
    const { id } = decided
    if (decided.replayed && this.#kept.get(id)?.action === action) return
    const kept: Kept = { assessment: decided.toKeep(), action, code, storeWasReset }
    this.#kept.delete(id)
    if (this.#kept.size >= this.#max) this.#kept.delete(this.#kept.keys().next().value as string)
    this.#kept.set(id, kept)
    if (this.#registry === undefined) return
    if (this.#waiting.length >= MOST_WAITING) this.#waiting.shift()
    this.#waiting.push(kept)
    this.#writeSoon()
  }

  /** The explanation that this process can give itself. */
  remembered(id: string): Explanation | undefined {
    const kept = this.#kept.get(id)
    return kept && explained(kept)
  }

  /** What stands in the store; `undefined` where nothing does. Rejects where it fails. */
  async stored(id: string): Promise<Explanation | undefined> {
    if (this.#registry === undefined) return undefined
    for (const place of this.#placesOf(id)) {
      const record = await this.#registry.get(KIND, place)
      const found = record && (JSON.parse(record.value) as Explanation)
      if (found?.decisionId === id) return found
    }
    // Whoever wrote it may have been told of another number of places.
    for await (const { value } of this.#registry.list(KIND)) {
      const other = JSON.parse(value) as Explanation
      if (other.decisionId === id) return other
    }
    return undefined
  }

  /** Why a decision is not known here, and what would keep one. */
  whyUnknown(): string {
    if (this.#keeps === 'none') return "decisionLog.keep is 'none', so nothing is kept. Leave it out to keep what is degraded or blocked, or set 'all'."
    const which = this.keepsAll ? 'The' : 'Only decisions that degrade or block are kept: the'
    const elsewhere = this.#registry === undefined ? '' : `, and about as many in the store, where bursts are thinned and one of more than ${MOST_WRITTEN} characters has no place`
    return `there is none of that id here. ${which} newest ${this.#max} are kept by the process that made them (decisionLog.max)${elsewhere}${this.keepsAll ? '.' : "; set decisionLog: { keep: 'all' } to keep the others too."}`
  }

  /** Writes what waits, for at most `timeoutMs`; the rest is dropped. `undefined` where nothing waits. */
  close(timeoutMs: number): Promise<void> | undefined {
    return this.#waiting.length === 0 && this.#writing === undefined ? undefined : this.#finish(timeoutMs)
  }

  async #finish(timeoutMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([this.#writeAll(), late])
    clearTimeout(timer)
    this.#waiting = []
  }

  async #writeAll(): Promise<void> {
    await this.#writing
    while (this.#waiting.length > 0) await this.#writeNext()
  }

  /** In a turn of its own, so that the decision is out before; and one write for each turn, so that a flood of denials costs little. */
  #writeSoon(): void {
    if (this.#isDue || this.#writing !== undefined) return
    this.#isDue = true
    setTimeout(() => {
      this.#isDue = false
      if (this.#waiting.length === 0 || this.#writing !== undefined) return
      void this.#writeNext().then(() => {
        if (this.#waiting.length > 0) this.#writeSoon()
      })
    }, 0)
  }

  /** Never rejects. */
  #writeNext(): Promise<void> {
    const write = this.#write(this.#waiting.shift() as Kept)
      .catch(this.#failed)
      .finally(() => {
        this.#writing = undefined
      })
    this.#writing = write
    return write
  }

  async #write(kept: Kept): Promise<void> {
    const registry = this.#registry as Registry
    const explanation = explained(kept)
    const value = JSON.stringify(explanation)
    if (value.length > MOST_WRITTEN) return
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const place = await this.#placeFor(registry, explanation)
      if (place === undefined) return
      // Another process may have taken it meanwhile.
      if ((await registry.put(KIND, place.key, value, { expected: place.version, ttlMs: KEPT_MS })) !== undefined) return
    }
  }

  /** Where a decision is written: its own place, else a free one, else the one that was written first. `undefined`: what stands says more. */
  async #placeFor(registry: Registry, { decisionId, action, replayed }: Explanation): Promise<{ readonly key: string; readonly version: number } | undefined> {
    let oldest: { readonly key: string; readonly version: number } | undefined
    for (const key of this.#placesOf(decisionId)) {
      const record = await registry.get(KIND, key)
      // None was ever written behind a free place, unless that has become free again: then there are two, and the nearer one is found.
      if (record === undefined) return { key, version: 0 }
      const before = JSON.parse(record.value) as Explanation
      if (before.decisionId === decisionId) return replayed && before.action === action ? undefined : { key, version: record.version }
      if (oldest === undefined || record.version < oldest.version) oldest = { key, version: record.version }
    }
    return oldest
  }

  /** Some places, spread by two numbers that an id gives. */
  #placesOf(id: string): readonly string[] {
    const first = hashOf(id) % this.#max
    const step = 1 + (hashOf(`${id} `) % Math.max(1, this.#max - 1))
    return [...new Set(Array.from({ length: CHOICES }, (_, choice) => String((first + choice * step) % this.#max)))]
  }
}

function explained({ assessment, action, code, storeWasReset }: Kept): Explanation {
  return assessment.explain(action, code, storeWasReset)
}

/** FNV-1a on the text's UTF-16 units: ids are spread, and nobody gains by choosing where theirs go. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}
