// One column of a report from what was counted for it. Knows neither logs nor engines.

import { toUsd } from '../money/index.js'
import type { ColumnReport } from './report.js'
import type { Tally } from './tally.js'

/** A part of a whole in percent, not rounded; 0 of nothing. */
export function pctOf(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole
}

/** The column of what was counted, without anything that differs or failed. `than`: what the log and the first candidate spent; absent for the log itself. */
export function columnOf(name: string, tally: Tally, topUsers: number, than: { readonly log: bigint; readonly first: bigint } | undefined): ColumnReport {
  const { figures, users, byTier, byModel } = tally
  const { requests, blocked, failed, exact } = figures
  const savedOnLogMicrocents = than && than.log - exact.spentMicrocents
  const savedOnFirstMicrocents = than && than.first - exact.spentMicrocents
  return {
    name,
    ...figures,
    ...users,
    refused: blocked + failed,
    blockedPct: pctOf(blocked, requests),
    refusedPct: pctOf(blocked + failed, requests),
    usersBlockedPct: pctOf(users.usersBlocked, users.users),
    usersRefusedPct: pctOf(users.usersRefused, users.users),
    lost: 0,
    savedOnLog: savedOnLogMicrocents === undefined ? undefined : toUsd(Number(savedOnLogMicrocents)),
    savedOnFirst: savedOnFirstMicrocents === undefined ? undefined : toUsd(Number(savedOnFirstMicrocents)),
    exact: { ...exact, savedOnLogMicrocents, savedOnFirstMicrocents },
    failedEndings: 0,
    failedNotes: 0,
    missedCorrections: 0,
    byTier,
    byDay: tally.byDay,
    byModel,
    affected: tally.affected(topUsers),
    differences: { total: 0, requests: 0, failures: 0, costs: 0, others: 0, first: [] },
    errors: [],
  }
}
