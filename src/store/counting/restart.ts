// Windows that begin before the calendar says so: what was spent stays with the one that ends.

import { NEVER } from '../../time/index.js'
import { READING_SIZE, type Effect, type RestartRequest } from '../contract.js'
import type { Books } from './books.js'
import { turnWindow } from './cells.js'
import { readingsOf } from './readings.js'

/** Begins anew, at `now`, the calendar windows of a scope that began before `since`, also where nothing was counted; gives how many. */
export function restartWindows(books: Books, request: RestartRequest, now: number, effects: Effect[]): number {
  const readings = readingsOf(books, [request], now)
  const begun = request.windows.flatMap(({ window, source }, position) => {
    if (source.kind !== 'calendar' || (readings[position * READING_SIZE] as number) >= Math.min(request.since, now)) return []
    const { endsAt } = source.calendar.at(now)
    return endsAt === NEVER ? [] : [{ window, endsAt }]
  })
  if (begun.length === 0) return 0
  const { layout, cells, base } = books.withRoomFor(request)
  for (const { window, endsAt } of begun) {
    if (turnWindow(cells, base + layout.slotOf(window), now, endsAt)) effects.push({ kind: 'window-reset', scope: request.scope, window, startsAt: now, endsAt })
  }
  return begun.length
}
