// How a charge moves the counters of its windows: when it is placed, when it ends, and when it is corrected afterwards.

import { amountIn, type Amounts } from '../../money/index.js'
import { READING_SIZE, type Effect } from '../contract.js'
import { raiseAlerts } from './alerts.js'
import { addHeld, addSpent, addToBucket, endOf, isStored, LIFETIME_ENTRIES, LIFETIME_MICROCENTS, rollingSpent, turnWindow } from './cells.js'
import type { Charge } from './charge.js'
import { bucketExpiresAt, bucketIndex } from '../../time/index.js'

/** Holds the charge's estimate in each of its windows, beginning those that have turned; requests count at once. */
export function place(charge: Charge, now: number, effects: Effect[]): void {
  for (const record of charge.records) record.tier = charge.facts.tier
  forEachWindow(charge, (window) => {
    const { cells, slot, terms, scope, startsAt, endsAt } = window
    if (terms.source.kind === 'calendar' && turnWindow(cells, slot, startsAt, endsAt)) {
      effects.push({ kind: 'window-reset', scope: scope.scope, window: terms.window, startsAt, endsAt })
    }
    if (terms.unit === 'requests') spend(window, 1, now, effects)
    else addHeld(cells, slot, amountIn(terms.unit, charge.held))
  })
}

/** Replaces what is held by what was spent, where the stored window is still the one that the hold was placed in. */
export function endCharge(charge: Charge, actual: Amounts, at: number, effects: Effect[]): void {
  for (const record of charge.records) {
    record.cells[LIFETIME_MICROCENTS] = (record.cells[LIFETIME_MICROCENTS] as number) + actual.microcents
    record.cells[LIFETIME_ENTRIES] = (record.cells[LIFETIME_ENTRIES] as number) + 1
  }
  forEachWindow(charge, (window) => {
    const { cells, slot, terms, startsAt } = window
    if (terms.unit === 'requests') return
    if (terms.source.kind === 'calendar' && !isStored(cells, slot, startsAt)) return
    addHeld(cells, slot, -amountIn(terms.unit, charge.held))
    spend(window, amountIn(terms.unit, actual), at, effects)
  })
}

/**
 * Adds to what a charge has spent, or takes from it. What is added to a rolling window counts from now on; what is taken goes
 * from the bucket that had it, or from nowhere.
 */
export function correct(charge: Charge, change: Amounts, now: number, effects: Effect[]): void {
  for (const record of charge.records) record.cells[LIFETIME_MICROCENTS] = Math.max(0, (record.cells[LIFETIME_MICROCENTS] as number) + change.microcents)
  forEachWindow(charge, (window) => {
    const { cells, slot, terms, startsAt } = window
    if (terms.unit === 'requests') return
    if (terms.source.kind === 'calendar' && !isStored(cells, slot, startsAt)) return
    const amount = amountIn(terms.unit, change)
    if (amount > 0) spend(window, amount, now, effects)
    else if (terms.source.kind === 'rolling') addToBucket(cells, slot, terms.source.rule, charge.endedAt, amount)
    else addSpent(cells, slot, amount)
  })
}

interface PlacedWindow {
  readonly cells: number[]
  readonly slot: number
  readonly scope: Charge['scopes'][number]
  readonly terms: Charge['scopes'][number]['windows'][number]
  readonly startsAt: number
  readonly endsAt: number
}

function spend({ cells, slot, scope, terms, startsAt }: PlacedWindow, amount: number, at: number, effects: Effect[]): void {
  const { source } = terms
  if (source.kind === 'calendar') {
    const spent = addSpent(cells, slot, amount)
    raiseAlerts(effects, scope, terms, cells, slot, { spent, startsAt, endsAt: endOf(cells, slot), at })
    return
  }
  addToBucket(cells, slot, source.rule, at, amount)
  const spent = rollingSpent(cells, slot, source.rule, at)
  raiseAlerts(effects, scope, terms, cells, slot, { spent, startsAt: at, endsAt: bucketExpiresAt(source.rule, bucketIndex(source.rule, at)), at })
}

function forEachWindow(charge: Charge, visit: (window: PlacedWindow) => void): void {
  let reading = 0
  charge.scopes.forEach((scope, index) => {
    const { layout, cells } = charge.records[index] as Charge['records'][number]
    const { slots } = layout.placesOf(scope.windows)
    scope.windows.forEach((terms, position) => {
      const startsAt = charge.readings[reading] as number
      const endsAt = charge.readings[reading + 1] as number
      visit({ cells, slot: slots[position] as number, scope, terms, startsAt, endsAt })
      reading += READING_SIZE
    })
  })
}
