// Limits of one user's own: from what a person gives to what a directory keeps, and back. Pure.

import { canonicalPeriod, overrideKey, periodsOf, type Override, type Overrides, type WindowLimits } from '../budget/index.js'
import { toPublic, UNITS, type Unit } from '../money/index.js'
import type { BudgetOverride } from './requests.js'

/** A limit that a user has instead of the tier's. Money is USD; `exact` has it in the window's unit: microcents for money. */
export interface UserOverride {
  readonly period: string
  readonly unit: Unit
  /** `null`: no limit, whatever the tier says. */
  readonly limit: number | null
  /** `null`: for good. */
  readonly until: Date | null
  readonly exact: { readonly limit: number | null }
}

/** What a checked override changes in the directory: `until` in ms since the epoch, `null` for good. */
export function overrideChanges(budget: BudgetOverride, until: number | null): Record<string, Override | null> {
  const changes: Record<string, Override | null> = {}
  for (const [period, parsed] of periodsOf(withoutNulls(budget), 'budget')) {
    const named = UNITS.filter((unit) => parsed[unit] !== undefined)
    for (const unit of named.length === 0 ? UNITS : named) changes[overrideKey(period, unit, until !== null)] = { limit: parsed[unit] ?? null, until }
  }
  for (const period of nullPeriods(budget).map(canonicalPeriod)) {
    for (const unit of UNITS) changes[overrideKey(period, unit, true)] = changes[overrideKey(period, unit, false)] = null
  }
  return changes
}

/** What of a directory entry's overrides counts at `now`, or will once one with an end is over. */
export function userOverrides(overrides: Overrides, now: number): UserOverride[] {
  return Object.entries(overrides).flatMap(([key, { limit, until }]) => {
    const [, period, unit] = /^(.+)\/(usd|tokens|requests)(?: \(ends\))?$/.exec(key) ?? []
    if (period === undefined || (until !== null && until <= now)) return []
    return [{ period, unit: unit as Unit, limit: limit === null ? null : toPublic(unit as Unit, limit), until: until === null ? null : new Date(until), exact: { limit } }]
  })
}

function withoutNulls(limits: BudgetOverride): WindowLimits {
  const { rolling, ...named } = limits
  const present = Object.fromEntries(Object.entries(named).filter(([, amount]) => amount !== null))
  return { ...present, rolling: Object.fromEntries(Object.entries(rolling ?? {}).filter(([, amount]) => amount !== null)) } as WindowLimits
}

function nullPeriods(limits: BudgetOverride): string[] {
  const { rolling, ...named } = limits
  const removed = (amounts: object): string[] => Object.entries(amounts).flatMap(([period, amount]) => (amount === null ? [period] : []))
  return [...removed(named), ...removed(rolling ?? {}).map((length) => `rolling:${length}`)]
}
