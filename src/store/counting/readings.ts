// Windows as they stand, for a reply: flat numbers, and when rolling windows will count less. Changes nothing.

import { READING_SIZE, type Freeing, type ScopeTerms, type WindowTerms } from '../contract.js'
import type { Books } from './books.js'
import { freeingOf, readSlot, readUnused } from './cells.js'

const NO_FREEING: ReadonlyMap<number, readonly Freeing[]> = new Map()

/** Four numbers for each window of each scope, in their order: see {@link READING_SIZE}. */
export function readingsOf(books: Books, scopes: readonly ScopeTerms[], now: number): number[] {
  // Of the right length from the start: every request makes this array, and one that grows is made twice.
  let count = 0
  for (let index = 0; index < scopes.length; index += 1) count += (scopes[index] as ScopeTerms).windows.length
  const readings = new Array<number>(count * READING_SIZE)
  let at = 0
  for (let index = 0; index < scopes.length; index += 1) {
    const scope = scopes[index] as ScopeTerms
    const { windows } = scope
    const record = books.get(scope)
    const slots = record?.layout.placesOf(windows).slots
    for (let position = 0; position < windows.length; position += 1) {
      const slot = slots === undefined ? -1 : (slots[position] as number)
      const terms = windows[position] as WindowTerms
      if (record === undefined || slot < 0) readUnused(readings, at, terms, now)
      else readSlot(readings, at, record.cells, record.base + slot, terms, now)
      at += READING_SIZE
    }
  }
  return readings
}

/** For each rolling window, by its index among the readings, when what it counts will leave it, in order of time. */
export function freeingsOf(books: Books, scopes: readonly ScopeTerms[], now: number): ReadonlyMap<number, readonly Freeing[]> {
  let freeing: Map<number, readonly Freeing[]> | undefined
  let index = 0
  for (const scope of scopes) {
    const record = books.get(scope)
    for (const terms of scope.windows) {
      const slot = record?.layout.slotOf(terms.window) ?? -1
      if (terms.source.kind === 'rolling' && record !== undefined && slot >= 0) {
        freeing ??= new Map()
        freeing.set(index, freeingOf(record.cells, record.base + slot, terms.source.rule, now))
      }
      index += 1
    }
  }
  return freeing ?? NO_FREEING
}
