// How a charge moves the counters of its windows: when it is placed, when it ends, and when it is corrected afterwards.

import { saturatingAdd, type Unit } from '../../money/index.js'
import { READING_SIZE, type Effect, type ScopeTerms, type WindowTerms } from '../contract.js'
import { raiseAlerts } from './alerts.js'
import type { Books } from './books.js'
import { addHeld, addSpent, addToBucket, isStored, LIFETIME_ENTRIES, LIFETIME_MICROCENTS, OPEN_HOLDS, rollingSpent, turnWindow, type Cells } from './cells.js'
import type { Charge } from './charge.js'

/** Holds the charge's estimate in each of its windows, beginning those that have turned; requests count at once. */
export function place(charge: Charge, books: Books, now: number, effects: Effect[]): void {
  const { scopes: placed, readings, heldMicrocents, heldTokens } = charge
  let at = 0
  for (let index = 0; index < placed.length; index += 1) {
    const scope = placed[index] as ScopeTerms
    const record = books.withRoomFor(scope)
    const { cells, base } = record
    const { slots } = record.layout.placesOf(scope.windows)
    books.noteTier(record, charge.facts.tier)
    cells[base + OPEN_HOLDS] = (cells[base + OPEN_HOLDS] as number) + 1
    for (let position = 0; position < slots.length; position += 1) {
      const terms = scope.windows[position] as WindowTerms
      const slot = base + (slots[position] as number)
      const startsAt = readings[at] as number
      const endsAt = readings[at + 1] as number
      at += READING_SIZE
      if (terms.source.kind === 'calendar' && turnWindow(cells, slot, startsAt, endsAt)) {
        effects.push({ kind: 'window-reset', scope: scope.scope, window: terms.window, startsAt, endsAt })
      }
      if (terms.unit === 'requests') spend(scope, terms, cells, slot, 1, now, effects)
      else addHeld(cells, slot, partOf(terms.unit, heldMicrocents, heldTokens))
    }
  }
}

/**
 * Replaces what is held by what was spent, where the stored window is still the one that the hold was placed in. `entries` is 0
 * for a release: it charges nothing, and is no entry of its user's.
 */
export function endCharge(charge: Charge, books: Books, entries: 0 | 1, microcents: number, tokens: number, at: number, effects: Effect[]): void {
  change(charge, books, charge.heldMicrocents, charge.heldTokens, 1, entries, microcents, tokens, at, at, effects)
}

/**
 * Adds to what a charge has spent, or takes from it. What is added to a rolling window counts from now on; what is taken goes
 * from the bucket of `countedAt`, or from nowhere.
 */
export function correct(charge: Charge, books: Books, microcents: number, tokens: number, countedAt: number, now: number, effects: Effect[]): void {
  change(charge, books, 0, 0, 0, 1, microcents, tokens, countedAt, now, effects)
}

/** Takes a request back out of the windows of requests that it was placed in: it never was. */
export function uncountRequests(charge: Charge, books: Books): void {
  charge.uncounted = true
  let at = 0
  for (const scope of charge.scopes) {
    const { layout, cells, base } = books.withRoomFor(scope)
    const { slots } = layout.placesOf(scope.windows)
    scope.windows.forEach(({ unit, source }, position) => {
      const slot = base + (slots[position] as number)
      const startsAt = charge.readings[at] as number
      at += READING_SIZE
      if (unit !== 'requests') return
      if (source.kind === 'rolling') addToBucket(cells, slot, source.rule, charge.openedAt, -1)
      else if (isStored(cells, slot, startsAt)) addSpent(cells, slot, -1)
    })
  }
}

// Amounts as two numbers each, not as objects: this runs for every request.
function change(charge: Charge, books: Books, releasedMicrocents: number, releasedTokens: number, ended: 0 | 1, entries: 0 | 1, microcents: number, tokens: number, countedAt: number, now: number, effects: Effect[]): void {
  const { scopes: placed, readings } = charge
  let at = 0
  for (let index = 0; index < placed.length; index += 1) {
    const scope = placed[index] as ScopeTerms
    // A scope may have been forgotten since a hold in it ended: what is corrected then still counts in its rolling windows.
    const { layout, cells, base } = books.withRoomFor(scope)
    const { slots } = layout.placesOf(scope.windows)
    cells[base + LIFETIME_MICROCENTS] = Math.max(0, saturatingAdd(cells[base + LIFETIME_MICROCENTS] as number, microcents))
    cells[base + LIFETIME_ENTRIES] = (cells[base + LIFETIME_ENTRIES] as number) + entries
    cells[base + OPEN_HOLDS] = (cells[base + OPEN_HOLDS] as number) - ended
    for (let position = 0; position < slots.length; position += 1) {
      const terms = scope.windows[position] as WindowTerms
      const slot = base + (slots[position] as number)
      const startsAt = readings[at] as number
      at += READING_SIZE
      if (terms.unit === 'requests' || (terms.source.kind === 'calendar' && !isStored(cells, slot, startsAt))) continue
      const amount = partOf(terms.unit, microcents, tokens)
      addHeld(cells, slot, -partOf(terms.unit, releasedMicrocents, releasedTokens))
      if (amount >= 0) spend(scope, terms, cells, slot, amount, now, effects)
      else if (terms.source.kind === 'rolling') addToBucket(cells, slot, terms.source.rule, countedAt, amount)
      else addSpent(cells, slot, amount)
    }
  }
}

function spend(scope: ScopeTerms, terms: WindowTerms, cells: Cells, slot: number, amount: number, at: number, effects: Effect[]): void {
  const { source } = terms
  if (source.kind === 'calendar') {
    raiseAlerts(effects, scope, terms, cells, slot, addSpent(cells, slot, amount), at)
    return
  }
  addToBucket(cells, slot, source.rule, at, amount)
  if (terms.alerts.length > 0) raiseAlerts(effects, scope, terms, cells, slot, rollingSpent(cells, slot, source.rule, at), at)
}

/** The same as `amountIn`, of amounts that are no object. Requests counted when they were placed. */
function partOf(unit: Unit, microcents: number, tokens: number): number {
  return unit === 'usd' ? microcents : unit === 'tokens' ? tokens : 1
}
