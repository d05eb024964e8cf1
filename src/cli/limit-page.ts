// Limits and their windows, for people and for programs.

import type { AmountConfig } from '../budget/index.js'
import type { Limit } from '../limits/index.js'
import { formatUsd, parseUsd } from '../money/index.js'
import type { LimitWindow, Triggered } from '../tracker/index.js'
import { show, showPct, toJson } from './amounts.js'
import { limitsText } from './limits-text.js'
import type { Run } from './run.js'
import { scopeText } from './scope-text.js'
import { listOf } from './table.js'
import { showTime } from './times.js'

/** A window of a limit; of one that is at a threshold, with that threshold. */
export type ShownWindow = LimitWindow | Triggered

/** Prints limits, one a line. */
export async function printLimits({ terminal, zone }: Run, limits: readonly Limit[]): Promise<void> {
  await terminal.table(
    [{ head: 'id' }, { head: 'scope' }, { head: 'allows' }, { head: 'mode' }, { head: 'state' }, { head: `from (${zone})` }, { head: `until (${zone})` }, { head: 'description' }],
    limits.map(({ id, scope, budget, mode, state, from, until, description }) => [
      id,
      scopeText(scope),
      limitsText(budget).join(', '),
      mode,
      state,
      from === null ? undefined : showTime(from.getTime(), zone),
      until === null ? undefined : showTime(until.getTime(), zone),
      description ?? undefined,
    ]),
  )
}

/** Prints one limit. */
export async function printLimit({ terminal, zone }: Run, limit: Limit): Promise<void> {
  const { id, scope, budget, mode, state, from, until, thresholds, description, createdAt } = limit
  const time = (date: Date | null, none: string): string => (date === null ? none : `${showTime(date.getTime(), zone)} (${zone})`)
  await terminal.print(
    listOf([
      ['id', id],
      ['scope', scopeText(scope)],
      ['allows', limitsText(budget).join(', ')],
      ['mode', mode],
      ['state', state],
      ['from', time(from, 'its making')],
      ['until', time(until, 'for good')],
      ['thresholds', thresholds === null ? 'the usual ones' : Object.entries(thresholds).map(([name, percent]) => `${name} ${percent} %`).join(', ')],
      ['made', time(createdAt, '–')],
      ['description', description ?? undefined],
    ]),
  )
}

/** Prints windows, one a line; `limits` say whom they cover. */
export async function printWindows({ terminal, zone }: Run, windows: readonly ShownWindow[], limits: readonly Limit[]): Promise<void> {
  const targets = new Map(limits.map(({ id, scope }) => [id, scope]))
  const triggered = windows.some((window) => 'thresholdPct' in window)
  await terminal.table(
    [{ head: 'limit' }, { head: 'scope' }, { head: 'window' }, { head: 'spent', number: true }, { head: 'held', number: true }, { head: 'limit', number: true }, { head: 'used', number: true }, ...(triggered ? [{ head: 'threshold', number: true }] : []), { head: `resets (${zone})` }],
    windows.map((window) => {
      const { limitId, period, unit, exact, usedPct, resetsAt } = window
      const reached = 'thresholdPct' in window ? [`${window.thresholdPct} %`] : []
      return [limitId ?? 'configured', whose(window, limitId === undefined ? undefined : targets.get(limitId)), unit === 'usd' ? period : `${period}/${unit}`, show(exact.spent, unit), show(exact.held, unit), show(exact.limit, unit), showPct(usedPct), ...reached, resetsAt === null ? 'never' : showTime(resetsAt.getTime(), zone)]
    }),
  )
}

/** A limit for programs: times in ISO 8601, and money as exact decimal strings. */
export function limitJson({ id, scope, budget, mode, state, from, until, thresholds, description, createdAt, version }: Limit): object {
  return { id, scope, budget: budgetJson(budget), mode, state, from: from?.toISOString() ?? null, until: until?.toISOString() ?? null, thresholds, description, createdAt: createdAt.toISOString(), version }
}

/** A window for programs: money as exact decimal strings. */
export function windowJson(window: ShownWindow): object {
  const { limitId, member, tenant, scope, period, unit, exact, usedPct, startsAt, resetsAt } = window
  return {
    limitId: limitId ?? null,
    scope: { kind: scope.kind, id: scope.id },
    member: member ?? null,
    tenant: tenant ?? null,
    period,
    unit,
    spent: toJson(exact.spent, unit),
    held: toJson(exact.held, unit),
    limit: toJson(exact.limit, unit),
    remaining: toJson(Math.max(0, exact.limit - exact.spent - exact.held), unit),
    usedPct,
    startsAt: startsAt.toISOString(),
    resetsAt: resetsAt?.toISOString() ?? null,
  }
}

/** Of a limit for each one apart it is the member; of any other, whom it covers. */
function whose({ limitId, member, tenant, scope }: ShownWindow, target: Limit['scope'] | undefined): string {
  if (limitId === undefined) return scopeText(scope)
  if (target === undefined) return member ?? 'all'
  if (member === undefined) return scopeText(target)
  return scopeText({ kind: target.kind, id: member, tenant: target.kind === 'user' ? tenant : undefined })
}

/** A budget with an object of units for each window, money as exact decimal strings: one shape, however it was written. */
function budgetJson({ daily, weekly, monthly, total, rolling, ...calendar }: Limit['budget']): object {
  const named = Object.entries({ daily, weekly, monthly, total }).flatMap(([period, amount]) => (amount === undefined ? [] : [[period, amountJson(amount)] as const]))
  const lengths = Object.entries(rolling ?? {}).map(([length, amount]) => [length, amountJson(amount as AmountConfig)] as const)
  return { ...Object.fromEntries(named), ...(lengths.length > 0 && { rolling: Object.fromEntries(lengths) }), ...calendar }
}

function amountJson(amount: AmountConfig): object {
  const { usd, ...counts } = typeof amount === 'object' ? amount : { usd: amount }
  return { ...(usd !== undefined && { usd: formatUsd(parseUsd(usd, 'budget', 'refuse')) }), ...counts }
}
