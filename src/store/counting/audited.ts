// The counters of a scope as an audit sees them, and additions to them. Knows cells; knows no ledger.

import { saturatingAdd } from '../../money/index.js'
import { ROLLING_BUCKETS } from '../../time/index.js'
import type { CountedWindow, CounterCorrection, OpenHold } from '../auditing.js'
import { READING_SIZE, type WindowTerms } from '../contract.js'
import type { ScopeRecord } from './books.js'
import { addHeld, addSpent, addToBucket, freeingOf, HELD, isStored, LIFETIME_ENTRIES, LIFETIME_MICROCENTS, readSlot, spanOf } from './cells.js'
import type { Charge } from './charge.js'

/** Every window of a scope that was ever begun, with what it counts. */
export function countedWindows({ layout, cells, base }: ScopeRecord, now: number): CountedWindow[] {
  return layout.windows.flatMap((terms) => {
    const { window, unit, source } = terms
    const slot = base + layout.slotOf(window)
    const held = cells[slot + HELD] as number
    if (source.kind === 'rolling') {
      const { bucketMs } = source.rule
      const spent = freeingOf(cells, slot, source.rule, now).map(({ at, amount }) => ({ startsAt: at - (ROLLING_BUCKETS + 1) * bucketMs, amount }))
      return [{ window, unit, held, spent }]
    }
    const { startsAt, endsAt } = spanOf(cells, slot)
    // A correction can make room for a window in which nothing was ever placed.
    if (endsAt === 0) return []
    const asItStands: number[] = []
    readSlot(asItStands, 0, cells, slot, terms, startsAt)
    return [{ window, unit, held, spent: [{ startsAt, amount: asItStands[2] as number }] }]
  })
}

/** Adds to the counters of a scope, where the stored instance is the one that is meant. */
export function correctCounters({ layout, cells, base }: ScopeRecord, { window, startsAt, spent, held, entries }: CounterCorrection): void {
  if (window === undefined) {
    cells[base + LIFETIME_MICROCENTS] = Math.max(0, saturatingAdd(cells[base + LIFETIME_MICROCENTS] as number, spent))
    cells[base + LIFETIME_ENTRIES] = Math.max(0, (cells[base + LIFETIME_ENTRIES] as number) + entries)
    return
  }
  const terms = layout.windows.find((each) => each.window === window)
  if (terms === undefined) return
  const slot = base + layout.slotOf(window)
  const { source } = terms
  if (source.kind === 'calendar' && !isStored(cells, slot, startsAt)) return
  addHeld(cells, slot, held)
  if (source.kind === 'calendar') addSpent(cells, slot, spent)
  else if (spent !== 0) addToBucket(cells, slot, source.rule, startsAt, spent)
}

/** An open charge, with where it was placed. */
export function openHold({ id, heldMicrocents: microcents, heldTokens: tokens, openedAt, scopes, readings }: Charge): OpenHold {
  let at = -READING_SIZE
  const placed = scopes.flatMap(({ scope, windows }) => {
    return windows.map(({ window, source }: WindowTerms) => {
      at += READING_SIZE
      return { scope, window, startsAt: source.kind === 'calendar' ? (readings[at] as number) : openedAt }
    })
  })
  return { id, amounts: { microcents, tokens }, openedAt, placed }
}
