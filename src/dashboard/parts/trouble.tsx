// What somebody should look at: who is refused and why, and which windows are over a threshold.

import { useState } from 'preact/hooks'
import type { BlockedRow, StateView, UserView, WindowRow } from '../../server/seeing/views.js'
import { clockTime, count, percent, shown } from '../data/figures.js'
import { useWatched } from '../data/watch.js'
import { Name, periodText, ScopeName, UserName } from './names.js'
import { Empty, Panel, Sign } from './panel.js'
import { WindowBar, type Reader } from './window-bar.js'

/** Who is blocked, and why. */
export function Blocked({ state }: { readonly state: StateView }) {
  return (
    <Panel title="Blocked, and why" note="newest first">
      {state.blocked.length === 0 ? (
        <Empty>
          <Sign name="allow" /> Nobody is being refused.
        </Empty>
      ) : (
        <ol class="blocked">
          {state.blocked.slice(0, 8).map((row) => (
            <BlockedLine key={JSON.stringify([row.tenant, row.userId, row.code])} row={row} state={state} />
          ))}
        </ol>
      )}
    </Panel>
  )
}

function BlockedLine({ row, state }: { readonly row: BlockedRow; readonly state: StateView }) {
  return (
    <li>
      <div class="blocked-head">
        <UserName userId={row.userId} tenant={row.tenant} ownTenant={state.caller.tenant} />
        <span class="soft">
          {row.count > 1 && <b class="times">{count(row.count)}×</b>} <time dateTime={row.at}>{clockTime(row.at, state.timeZone, state.now)}</time>
        </span>
      </div>
      <p class="reason">
        {shown(row.reason)}
        {row.model !== null && (
          <span class="soft">
            {' '}
            <Name>{row.model}</Name>
          </span>
        )}
      </p>
    </li>
  )
}

const MOST_TRIGGERED = 6

/** Thresholds that are reached now. */
export function Triggered({ state }: { readonly state: StateView }) {
  return (
    <Panel title="Thresholds crossed" note="running windows">
      {state.triggered.length === 0 ? (
        <Empty>
          <Sign name="allow" /> No window is over a threshold.
        </Empty>
      ) : (
        <ol class="triggered">
          {state.triggered.slice(0, MOST_TRIGGERED).map((row) => (
            <li key={keyOf(row) + row.thresholdPct}>
              <span class={`threshold ${row.thresholdPct >= 100 ? 'is-over' : 'is-near'}`}>
                <Sign name={row.thresholdPct >= 100 ? 'block' : 'warn'} /> {percent(row.thresholdPct)}
              </span>
              <span class="triggered-name">
                <ScopeName scope={row.scope} ownTenant={state.caller.tenant} /> <span class="chip">{periodText(row.period)}</span>
              </span>
              <b class="number">{percent(row.usedPct)}</b>
            </li>
          ))}
        </ol>
      )}
      {state.triggeredCount > MOST_TRIGGERED && <p class="soft more">and {count(state.triggeredCount - MOST_TRIGGERED)} more</p>}
    </Panel>
  )
}

const FIRST = 8

/** The windows of the user whose key it is: what a state has are the shared ones. */
function useOwnWindows({ userId }: StateView['caller']): readonly WindowRow[] {
  const { view } = useWatched<UserView>(userId === null ? undefined : `/v1/users/${encodeURIComponent(userId)}`, 10_000)
  return view?.windows.filter(({ limit }) => limit !== null) ?? []
}

/** Shared budgets and limits, the fullest first; for the key of a user, that user's own among them. */
export function Budgets({ state, reader }: { readonly state: StateView; readonly reader: Reader }) {
  const [isWhole, setWhole] = useState(false)
  const own = useOwnWindows(state.caller)
  const known = new Set(state.budgets.map(keyOf))
  const budgets = [...state.budgets, ...own.filter((row) => !known.has(keyOf(row)))].sort((one, other) => other.usedPct - one.usedPct)
  const rows = isWhole ? budgets : budgets.slice(0, FIRST)
  const more = budgets.length - FIRST
  const rest = state.limits.watched - state.budgets.length
  return (
    <Panel title="Spend against limits" note={<BarKey />}>
      {budgets.length === 0 ? (
        <NoBudgets caller={state.caller} />
      ) : (
        <ol class="windows">
          {rows.map((row) => (
            <WindowBar key={keyOf(row)} row={row} reader={reader} />
          ))}
        </ol>
      )}
      {more > 0 && (
        <button type="button" class="quiet" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
          {isWhole ? 'Show the fullest only' : `Show ${count(more)} more`}
        </button>
      )}
      {rest > 0 && (isWhole || more <= 0) && (
        <p class="soft more">
          and {count(rest)} more, less full: <a href="#/limits">all limits</a>
        </p>
      )}
    </Panel>
  )
}

function NoBudgets({ caller }: { readonly caller: StateView['caller'] }) {
  if (!caller.isOperator) return <Empty>There is none that this key may see.{caller.roles.includes('admin') && <MakeOne />}</Empty>
  return (
    <Empty>
      No shared budget or limit is in force.{caller.roles.includes('admin') && <MakeOne />} Shared budgets stand in the configuration.
    </Empty>
  )
}

function MakeOne() {
  return (
    <>
      {' '}
      <a href="#/limits">Make one</a>.
    </>
  )
}

function BarKey() {
  return (
    <>
      <span class="key-spent" aria-hidden="true" /> spent <span class="key-held" aria-hidden="true" /> held
    </>
  )
}

/** What tells one window from another. */
export function keyOf({ scope, limitId, period, unit }: WindowRow): string {
  return JSON.stringify([scope.kind, scope.id, scope.tenant, limitId, period, unit])
}
