// One window against its limit: what is spent, what is held beside it, how far that is, and how long it will do.

import type { ComponentChildren } from 'preact'
import type { WindowRow } from '../../server/seeing/views.js'
import { amount, between, lasting, money, percent } from '../data/figures.js'
import { periodText, ScopeName, scopeText } from './names.js'

/** Who reads, and when. */
export interface Reader {
  readonly now: string
  readonly ownTenant: string | null
}

/** A row of a list of windows. `isOwn`: the scope is clear from where it stands. */
export function WindowBar({ row, reader, isOwn = false, children }: { readonly row: WindowRow; readonly reader: Reader; readonly isOwn?: boolean; readonly children?: ComponentChildren }) {
  const level = levelOf(row)
  const whole = row.limit === null ? Math.max(row.spent + row.held, 1e-9) : Math.max(row.limit, 1e-9)
  const spentPart = row.limit === null ? 0 : row.limit === 0 ? 100 : Math.min(100, (100 * row.spent) / whole)
  const heldPart = row.limit === null ? 0 : Math.min(100 - spentPart, (100 * row.held) / whole)
  return (
    <li class={`window level-${level}`}>
      <div class="window-head">
        <span class="window-name">
          {!isOwn && <ScopeName scope={row.scope} ownTenant={reader.ownTenant} />}
          <span class="chip">{periodText(row.period)}</span>
          {row.unit !== 'usd' && <span class="chip">{row.unit}</span>}
        </span>
        <span class="window-figures">
          <b>{amount(row.spent, row.unit)}</b>
          {row.limit === null ? ' spent, no limit' : ` of ${amount(row.limit, row.unit)}`}
        </span>
      </div>
      {row.limit !== null && (
        <div class="bar" role="img" aria-label={barText(row)}>
          <i class="bar-spent" style={{ width: `${spentPart}%` }} />
          <i class="bar-held" style={{ width: `${heldPart}%` }} />
        </div>
      )}
      <div class="window-foot">
        {row.limit !== null && (
          <span class="used">
            {percent(row.usedPct)} used{level === 'over' ? ', exceeded' : ''}
          </span>
        )}
        {row.held > 0 && <span>{amount(row.held, row.unit)} held</span>}
        {row.resetsAt !== null && <span>resets in {lasting(between(reader.now, row.resetsAt))}</span>}
        <Runway row={row} now={reader.now} />
        {children}
      </div>
    </li>
  )
}

function Runway({ row, now }: { readonly row: WindowRow; readonly now: string }) {
  const { forecast } = row
  if (forecast === null || row.unit !== 'usd') return null
  if (forecast.emptyAt !== null && !row.exceeded && between(now, forecast.emptyAt) > 0) {
    return (
      <span class="runway" title={`at ${money(forecast.perDay)} a day`}>
        empty in {lasting(between(now, forecast.emptyAt))}
      </span>
    )
  }
  if (forecast.atEnd !== null && !row.exceeded) return <span title={`at ${money(forecast.perDay)} a day`}>heads for {money(forecast.atEnd)}</span>
  return <span>{money(forecast.perDay)} a day</span>
}

/** How near to its limit a window is, for its colour; the words beside it say the same. */
function levelOf({ exceeded, usedPct, limit }: WindowRow): 'none' | 'calm' | 'near' | 'over' {
  if (limit === null) return 'none'
  return exceeded ? 'over' : usedPct >= 80 ? 'near' : 'calm'
}

function barText(row: WindowRow): string {
  return `${scopeText(row.scope)}, ${periodText(row.period)}: ${percent(row.usedPct)} used: ${amount(row.spent, row.unit)} spent and ${amount(row.held, row.unit)} held of ${amount(row.limit ?? 0, row.unit)}`
}
