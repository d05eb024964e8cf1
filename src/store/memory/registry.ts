// Shared facts in memory: shared by whoever is in this process.

import type { Registry, RegistryRecord, RegistryWrite } from '../registry.js'

interface Kept extends RegistryRecord {
  /** Infinity: until it is deleted. */
  readonly until: number
}

/** How many records are looked at for their time after one was written. */
const LOOKED_AT = 4

/** Records that live as long as their process. Those whose time is over are forgotten as others come. */
export class MemoryRegistry implements Registry {
  readonly #now: () => number
  readonly #kinds = new Map<string, Map<string, Kept>>()
  #version = 0
  #round: Generator<void> | undefined

  /** `now` gives store time. */
  constructor(now: () => number) {
    this.#now = now
  }

  get(kind: string, key: string): RegistryRecord | undefined {
    const kept = this.#find(kind, key, this.#now())
    return kept && { value: kept.value, version: kept.version }
  }

  put(kind: string, key: string, value: string | null, { expected, ttlMs }: RegistryWrite): number | undefined {
    const now = this.#now()
    if ((this.#find(kind, key, now)?.version ?? 0) !== expected) return undefined
    this.#version = Math.max(this.#version + 1, now)
    let records = this.#kinds.get(kind)
    if (records === undefined) this.#kinds.set(kind, (records = new Map()))
    if (value === null) records.delete(key)
    else records.set(key, { value, version: this.#version, until: ttlMs === undefined ? Infinity : now + ttlMs })
    this.#forgetSome(now)
    return this.#version
  }

  async *list(kind: string): AsyncIterable<RegistryRecord & { readonly key: string }> {
    const now = this.#now()
    // As they are now: whoever goes through them may write others.
    for (const [key, { value, version, until }] of Array.from(this.#kinds.get(kind) ?? [])) if (now < until) yield { key, value, version }
  }

  #find(kind: string, key: string, now: number): Kept | undefined {
    const kept = this.#kinds.get(kind)?.get(key)
    return kept !== undefined && now < kept.until ? kept : undefined
  }

  #forgetSome(now: number): void {
    this.#round ??= this.#forgettingAll(now)
    for (let looked = 0; looked < LOOKED_AT; looked += 1) {
      if (this.#round.next().done !== true) continue
      this.#round = undefined
      return
    }
  }

  *#forgettingAll(now: number): Generator<void> {
    for (const records of this.#kinds.values()) {
      for (const [key, { until }] of records) {
        if (now >= until) records.delete(key)
        yield
      }
    }
  }
}
