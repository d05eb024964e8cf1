// Windows as they stand, as rows of the dashboard: whom they cover, how full they are, and what is to be expected of them.

import { scopeKey, type UserRef } from '../../budget/index.js'
import type { Forecast } from '../../forecast/index.js'
import { EACH } from '../../limits/index.js'
import type { StandingWindow } from '../../tracker/index.js'
import type { Caller } from '../caller.js'
import type { Engine } from '../service.js'
import type { TriggeredRow, WindowRow } from './views.js'
import { limitIdFor } from './window-row.js'

/** One window as a row. */
export function standingRow(caller: Caller, window: StandingWindow, forecast: WindowRow['forecast'] = null): WindowRow {
  const { covers, limitId, period, unit, spent, held, limit, remaining, usedPct, exceeded, startsAt, resetsAt } = window
  const { kind, id, tenant } = covers
  return {
    scope: { kind, id, ...(tenant !== undefined && { tenant }) },
    limitId: limitId === undefined ? null : limitIdFor(caller, limitId),
    period,
    unit,
    spent,
    held,
    limit,
    remaining,
    usedPct,
    exceeded,
    startsAt: startsAt.toISOString(),
    resetsAt: resetsAt?.toISOString() ?? null,
    forecast,
  }
}

/** The windows that are at or over one of their thresholds, each once: the most severe first. */
export function triggeredRows(caller: Caller, windows: readonly StandingWindow[]): TriggeredRow[] {
  const found = new Map<string, TriggeredRow>()
  for (const window of windows) if (window.thresholdPct !== null) found.set(windowKey(window), { ...standingRow(caller, window), thresholdPct: window.thresholdPct })
  return [...found.values()].sort((one, other) => other.thresholdPct - one.thresholdPct || other.usedPct - one.usedPct)
}

/** The same text for the same window. */
export function windowKey({ scope, period, unit }: Pick<StandingWindow, 'scope' | 'period' | 'unit'>): string {
  return JSON.stringify([scopeKey(scope), period, unit])
}

/** What is to be expected of a window of money; `null` where there is too little to go by. */
export async function forecastOf({ tracker }: Engine, { covers, limitId, period, unit }: StandingWindow): Promise<WindowRow['forecast']> {
  if (unit !== 'usd') return null
  const user: UserRef = covers.tenant === undefined ? { userId: covers.id } : { userId: covers.id, tenant: covers.tenant }
  const counted = covers.kind === 'user' ? user : { scope: covers }
  if (limitId === undefined) return shown(await tracker.forecast(counted, { period, unit }))
  const limit = await tracker.limits.get(limitId)
  const member = limit?.scope.id === EACH ? { member: covers.kind === 'user' ? user : covers.id } : {}
  return shown(await tracker.forecast({ limit: limitId, ...member }, { period, unit }))
}

function shown(forecast: Forecast): WindowRow['forecast'] {
  if (!forecast.enough) return null
  const { burnRate, runway, projection } = forecast
  return { perDay: burnRate.perDay, emptyAt: runway?.emptyAt.toISOString() ?? null, atEnd: projection?.expected ?? null }
}
