// The counters of one scope: a stretch of numbers, cut into slots by a layout that all scopes with the same windows share. Knows
// how a window counts; not whose it is.

import { saturatingAdd } from '../../money/index.js'
import { bucketExpiresAt, bucketIndex, ROLLING_BUCKETS, rollingSpan, type RollingRule, type Span } from '../../time/index.js'
import type { Freeing, WindowTerms } from '../contract.js'

/** The cells of many scopes. A scope's begin with these four; the slots of its windows follow. */
export type Cells = Float64Array

export const LIFETIME_MICROCENTS = 0
export const LIFETIME_ENTRIES = 1
/** How many open holds are placed in the scope: none may be forgotten. */
export const OPEN_HOLDS = 2
export const TIER = 3
export const FIRST_SLOT = 4

// Offsets within a slot. The first three are common to both kinds.
export const HELD = 0
export const ALERTED_PCT = 1
export const LIMIT_SEEN = 2
const STARTS_AT = 3
const ENDS_AT = 4
const SPENT = 5
export const ALERTED_AT = 3
const NEWEST = 4
const BUCKETS = 5
const RING = ROLLING_BUCKETS + 1

/** The cells of a window that has never counted anything: every number zero, no window begun, no limit seen. */
export function emptySlot(terms: WindowTerms): readonly number[] {
  return terms.source.kind === 'calendar' ? [0, 0, -1, 0, 0, 0] : [0, 0, -1, -1, -1, ...new Array<number>(RING).fill(0)]
}

/** Writes startsAt, endsAt, spent and held of a window at `now` to `out`, from `at` on. */
export function readSlot(out: number[], at: number, cells: Cells, slot: number, terms: WindowTerms, now: number): void {
  const { source } = terms
  if (source.kind === 'rolling') {
    readUnused(out, at, terms, now)
    out[at + 2] = rollingSpent(cells, slot, source.rule, now)
    out[at + 3] = cells[slot + HELD] as number
    return
  }
  const storedEnd = cells[slot + ENDS_AT] as number
  if (now < storedEnd) {
    out[at] = cells[slot + STARTS_AT] as number
    out[at + 1] = storedEnd
    out[at + 2] = cells[slot + SPENT] as number
    out[at + 3] = cells[slot + HELD] as number
    return
  }
  // The stored window rules until its end; the next one starts no earlier than that, whatever its zone says.
  readUnused(out, at, terms, now)
  out[at] = Math.max(out[at] as number, storedEnd)
}

/** The same for a window in which nothing was ever counted. */
export function readUnused(out: number[], at: number, { source }: WindowTerms, now: number): void {
  out[at + 2] = 0
  out[at + 3] = 0
  if (source.kind === 'rolling') {
    out[at] = rollingSpan(source.rule, now).startsAt
    out[at + 1] = bucketExpiresAt(source.rule, bucketIndex(source.rule, now))
    return
  }
  const { startsAt, endsAt } = source.calendar.at(now)
  out[at] = startsAt
  out[at + 1] = endsAt
}

/** Begins the window that starts at `startsAt` where another one is stored. True if one that had been used ended by it. */
export function turnWindow(cells: Cells, slot: number, startsAt: number, endsAt: number): boolean {
  const before = cells[slot + ENDS_AT] as number
  if (cells[slot + STARTS_AT] === startsAt && before === endsAt) return false
  cells[slot + HELD] = 0
  cells[slot + ALERTED_PCT] = 0
  cells[slot + LIMIT_SEEN] = -1
  cells[slot + STARTS_AT] = startsAt
  cells[slot + ENDS_AT] = endsAt
  cells[slot + SPENT] = 0
  return before > 0
}

/** True where the stored calendar window is the one that started at `startsAt`: only then does an ending change it. */
export function isStored(cells: Cells, slot: number, startsAt: number): boolean {
  return cells[slot + STARTS_AT] === startsAt
}

/** Changes what a window holds; never below zero. */
export function addHeld(cells: Cells, slot: number, amount: number): void {
  cells[slot + HELD] = Math.max(0, (cells[slot + HELD] as number) + amount)
}

/** Changes what a calendar window has spent, never below zero nor above 2^53 − 1, and gives the result. */
export function addSpent(cells: Cells, slot: number, amount: number): number {
  const spent = Math.max(0, saturatingAdd(cells[slot + SPENT] as number, amount))
  cells[slot + SPENT] = spent
  return spent
}

/** When the stored calendar window starts and ends. */
export function spanOf(cells: Cells, slot: number): Span {
  return { startsAt: cells[slot + STARTS_AT] as number, endsAt: cells[slot + ENDS_AT] as number }
}

/** Adds to the bucket of an instant. A bucket that has left the window takes nothing: it counts no more. */
export function addToBucket(cells: Cells, slot: number, rule: RollingRule, instant: number, amount: number): void {
  const bucket = bucketIndex(rule, instant)
  const newest = cells[slot + NEWEST] as number
  if (bucket > newest) {
    const first = Math.max(newest + 1, bucket - RING + 1)
    for (let index = first; index <= bucket; index += 1) cells[slot + BUCKETS + (index % RING)] = 0
    cells[slot + NEWEST] = bucket
  } else if (bucket <= newest - RING) {
    return
  }
  const cell = slot + BUCKETS + (bucket % RING)
  cells[cell] = Math.max(0, saturatingAdd(cells[cell] as number, amount))
}

/** What a rolling window counts at `now`: its buckets, the oldest one whole. */
export function rollingSpent(cells: Cells, slot: number, rule: RollingRule, now: number): number {
  let spent = 0
  forLiveBuckets(cells, slot, rule, now, (_bucket, amount) => {
    spent = saturatingAdd(spent, amount)
  })
  return spent
}

/** When a rolling window will count less, and by how much, in order of time. */
export function freeingOf(cells: Cells, slot: number, rule: RollingRule, now: number): Freeing[] {
  const freeing: Freeing[] = []
  forLiveBuckets(cells, slot, rule, now, (bucket, amount) => {
    if (amount > 0) freeing.push({ at: bucketExpiresAt(rule, bucket), amount })
  })
  return freeing
}

const DAY_MS = 86_400_000
/** Longer than a day, a week and a month are, with the hours of a change of zone or clocks. */
const LONGEST_MS: Readonly<Record<string, number>> = { daily: 2 * DAY_MS, weekly: 8 * DAY_MS, monthly: 33 * DAY_MS }

/**
 * True when nothing of the slot can matter any more at `now`: its window ended so long ago that no calendar's running one can have begun
 * before that end (the next window starts no earlier, whatever its zone says by then), or its last bucket has left it.
 */
export function hasLapsed(cells: Cells, slot: number, terms: WindowTerms, now: number): boolean {
  const { source, window } = terms
  if (source.kind === 'calendar') return now >= (cells[slot + ENDS_AT] as number) + (LONGEST_MS[window.slice(0, window.indexOf('/'))] ?? 0)
  const newest = cells[slot + NEWEST] as number
  // An alert may have been given later than the last bucket began: it must not be given again within the length.
  const alertedAt = cells[slot + ALERTED_AT] as number
  return (newest < 0 || now >= bucketExpiresAt(source.rule, newest)) && now >= alertedAt + source.rule.lengthMs
}

function forLiveBuckets(cells: Cells, slot: number, rule: RollingRule, now: number, visit: (bucket: number, amount: number) => void): void {
  const newest = cells[slot + NEWEST] as number
  if (newest < 0) return
  const oldest = Math.max(0, bucketIndex(rule, now) - ROLLING_BUCKETS, newest - ROLLING_BUCKETS)
  for (let bucket = oldest; bucket <= newest; bucket += 1) visit(bucket, cells[slot + BUCKETS + (bucket % RING)] as number)
}
