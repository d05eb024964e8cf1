// The registry of the plain store: every write that ever was, in a list. What stands follows from the last one of a key.

import type { Registry, RegistryRecord, RegistryWrite } from '../../src/store/index.js'

interface Written {
  readonly kind: string
  readonly key: string
  /** Null: deleted. */
  readonly value: string | null
  readonly version: number
  readonly until: number
}

/** Nothing is ever forgotten. */
export class PlainRegistry implements Registry {
  readonly #now: () => number
  readonly #writes: Written[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  get(kind: string, key: string): RegistryRecord | undefined {
    return this.#standing(this.#now()).find((record) => record.kind === kind && record.key === key)?.record
  }

  put(kind: string, key: string, value: string | null, { expected, ttlMs = Infinity }: RegistryWrite): number | undefined {
    const now = this.#now()
    const record = this.#standing(now).find((each) => each.kind === kind && each.key === key)?.record
    if (expected !== (record === undefined ? 0 : record.version)) return undefined
    const version = Math.max(now, ...this.#writes.map((write) => write.version + 1))
    this.#writes.push({ kind, key, value, version, until: now + ttlMs })
    return version
  }

  async *list(kind: string): AsyncIterable<RegistryRecord & { readonly key: string }> {
    for (const each of this.#standing(this.#now())) if (each.kind === kind) yield { key: each.key, ...each.record }
  }

  #standing(now: number): { readonly kind: string; readonly key: string; readonly record: RegistryRecord }[] {
    return this.#writes.flatMap(({ kind, key, value, version, until }, index) => {
      const overwritten = this.#writes.slice(index + 1).some((later) => later.kind === kind && later.key === key)
      return overwritten || value === null || until <= now ? [] : [{ kind, key, record: { value, version } }]
    })
  }
}
