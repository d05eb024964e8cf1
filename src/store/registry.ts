// Small facts that processes share beside money: which event was handled, which customer is whose, who is at work on what. Each has
// a version, so that two who change one at a time find out.

import type { MaybePromise } from './maybe-promise.js'

/** One record as it stands. */
export interface RegistryRecord {
  readonly value: string
  /** Changes with every write, and is never given twice. */
  readonly version: number
}

/** How a record is written. */
export interface RegistryWrite {
  /** The version that was read; 0: there was no record. */
  readonly expected: number
  /** How long it is kept, by the store's clock; absent: until it is deleted. */
  readonly ttlMs?: number | undefined
}

/** Records by kind (a short word in lower case) and key. One that is past its time is not there. */
export interface Registry {
  get(kind: string, key: string): MaybePromise<RegistryRecord | undefined>
  /**
   * Writes a record, or deletes it (`null`), in one step, if its version is the expected one; `undefined`, and nothing is changed, if
   * it is not. Gives a version that is higher than all that this store gave before, whatever they were of, and than any that a copy of
   * the store which has lost its latest writes can have given: at least store time in ms.
   */
  put(kind: string, key: string, value: string | null, write: RegistryWrite): MaybePromise<number | undefined>
  /** All records of a kind, in no order; those that come or go meanwhile may be missing. */
  list(kind: string): AsyncIterable<RegistryRecord & { readonly key: string }>
}
