// A user's budget for people.

import { show, showCount, showPct } from './amounts.js'
import { remainingOf, type BudgetView, type TierSource } from './budget-view.js'
import type { EnoughData, Forecast } from '../forecast/index.js'
import type { Run } from './run.js'
import { scopeText } from './scope-text.js'
import { listOf } from './table.js'
import { showLength, showTime } from './times.js'

const FROM: Readonly<Record<TierSource, string>> = { option: 'as --tier says', directory: 'in the directory', tenant: 'set for the tenant', defaultTier: 'defaultTier' }

/** Prints a user's windows, then what else is known. */
export async function printBudget(view: BudgetView, run: Run): Promise<void> {
  const { terminal, zone, now } = run
  const { user, tier, tierFrom, totalMicrocents, totalEntries, windows, overrides, billing, forecasts } = view
  await terminal.print(
    listOf([
      ['user', user.userId],
      ['tenant', user.tenant],
      ['tier', tier === undefined ? '–' : `${tier}${tierFrom === undefined ? '' : ` (${FROM[tierFrom]})`}`],
      ['standing', billing && `${billing.standing} since ${showTime(billing.changedAt.getTime(), zone)} (${billing.reason})`],
      ['paid period', billing?.period && `${showTime(billing.period.startsAt.getTime(), zone)} to ${showTime(billing.period.endsAt.getTime(), zone)}`],
      ['spent in all', `${show(totalMicrocents) as string} in ${showCount(totalEntries)} entries`],
    ]),
  )
  await terminal.print('\n')
  await terminal.table(
    [{ head: 'scope' }, { head: 'window' }, { head: 'unit' }, { head: 'spent', number: true }, { head: 'held', number: true }, { head: 'limit', number: true }, { head: 'remaining', number: true }, { head: 'used', number: true }, { head: `resets (${zone})` }],
    windows.map(({ scope, period, unit, exact, usedPct, exceeded, resetsAt }) => [
      scope.kind === 'user' ? 'user' : scopeText(scope),
      period,
      unit === 'usd' ? 'USD' : unit,
      show(exact.spent, unit),
      show(exact.held, unit),
      exact.limit === null ? 'none' : show(exact.limit, unit),
      show(remainingOf(exact), unit),
      exact.limit === null ? undefined : `${showPct(usedPct)}${exceeded ? ' !' : ''}`,
      resetsAt === null ? 'never' : `${showTime(resetsAt.getTime(), zone)}, in ${showLength(Math.max(0, resetsAt.getTime() - now))}`,
    ]),
  )
  if (overrides.length > 0) await printOverrides(overrides, run)
  await printForecasts(forecasts, run)
}

async function printOverrides(overrides: BudgetView['overrides'], { terminal, zone }: Run): Promise<void> {
  await terminal.print('\nLimits of their own\n')
  await terminal.table(
    [{ head: 'window' }, { head: 'limit', number: true }, { head: `until (${zone})` }],
    overrides.map(({ period, unit, exact: { limit }, until }) => [unit === 'usd' ? period : `${period}/${unit}`, limit === null ? 'none' : show(limit, unit), until === null ? 'for good' : showTime(until.getTime(), zone)]),
  )
}

/** What was too little to go by is said in a sentence. */
async function printForecasts(forecasts: readonly Forecast[], { terminal, zone }: Run): Promise<void> {
  const told = forecasts.filter((forecast): forecast is EnoughData => forecast.enough)
  if (forecasts.length === 0) return
  if (told.length === 0) return terminal.say(`No forecast. ${forecasts[0]?.enough === false ? forecasts[0].message : ''}`)
  await terminal.print('\nForecast\n')
  await terminal.table(
    [{ head: 'window' }, { head: 'burns a day', number: true }, { head: `empty (${zone})` }, { head: 'at its end', number: true }, { head: 'from', number: true }, { head: 'to', number: true }, { head: 'by the last' }],
    told.map(({ period, unit, burnRate, runway, projection, step, steps }) => [
      period,
      show(burnRate.exact.perDay, unit),
      runway === null ? 'not before it resets' : showTime(runway.emptyAt.getTime(), zone),
      show(projection?.exact.expected, unit),
      show(projection?.exact.low, unit),
      show(projection?.exact.high, unit),
      `${steps} ${step}s`,
    ]),
  )
}
