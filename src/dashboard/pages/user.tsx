// Everything of one user: all windows, what was spent day by day, the last decisions in words, and, with the right key, the changes that can
// be made.

import { useEffect, useRef } from 'preact/hooks'
import type { StateView, UserView } from '../../server/seeing/views.js'
import { query } from '../data/ask.js'
import { money } from '../data/figures.js'
import type { LiveLog } from '../data/live-log.js'
import { useWatched } from '../data/watch.js'
import { Activity } from '../parts/activity.js'
import { shortMoney } from '../parts/actions-plot.js'
import { Name } from '../parts/names.js'
import { Empty, Failure, Incomplete, Panel } from '../parts/panel.js'
import { Plot } from '../parts/plot.js'
import { keyOf } from '../parts/trouble.js'
import { UserChanges } from '../parts/user-changes.js'
import { UserOverrides } from '../parts/user-overrides.js'
import { WindowBar } from '../parts/window-bar.js'

const FROM: Readonly<Record<'directory' | 'tenant' | 'last' | 'default', string>> = { directory: 'set for this user', tenant: 'as set for the tenant', last: 'as the last request said', default: 'by default' }

/** The page of a user. */
export function User({ userId, tenant, state, log, refused }: { readonly userId: string; readonly tenant: string | undefined; readonly state: StateView; readonly log: LiveLog; readonly refused: (reason: string) => void }) {
  const { view, error, soon, now } = useWatched<UserView>(`/v1/users/${encodeURIComponent(userId)}${query({ tenant })}`, 10_000)
  useNews(userId, tenant ?? state.caller.tenant ?? null, log, soon)
  useEffect(() => {
    if (error?.status === 401) refused(error.message)
  }, [error])
  const isAdmin = state.caller.roles.includes('admin')
  const reader = { now: state.now, ownTenant: state.caller.tenant }
  return (
    <>
      <div class="page-head">
        <h1>
          <Name>{view?.name ?? userId}</Name>
        </h1>
        <p class="facts">
          {view !== undefined && view.name !== null && <Name>{userId}</Name>}
          {typeof (view?.tenant ?? tenant) === 'string' && (
            <span>
              of <Name>{view?.tenant ?? tenant ?? ''}</Name>
            </span>
          )}
          {view !== undefined && (
            <span>
              {view.tier === null ? 'no tier' : <span class="chip chip-strong">{view.tier}</span>} {view.tierFrom !== null && FROM[view.tierFrom]}
            </span>
          )}
          {view !== undefined && (
            <span>
              <b>{money(view.totalSpent)}</b> in all
            </span>
          )}
        </p>
      </div>
      {error !== undefined && <Failure>{error.message}</Failure>}
      {view?.complete === false && <Incomplete of="the last 28 days" what="The last decisions and the spend by day are of what is kept; budgets are exact." />}
      {view === undefined && error === undefined && <Empty>Looking …</Empty>}
      {view === undefined && error?.status === 404 && isAdmin && (
        <div class="board">
          <UserChanges view={{ userId, tenant: tenant ?? state.caller.tenant, tier: null, tierFrom: null }} state={state} changed={now} />
        </div>
      )}
      {view !== undefined && (
        <div class="board">
          <div class="column">
          <Panel title="Windows">
            {view.windows.length === 0 ? (
              <Empty>Nothing is counted for this user: no tier covers them.</Empty>
            ) : (
              <ol class="windows">
                {view.windows.map((row) => (
                  <WindowBar key={keyOf(row)} row={row} reader={reader} isOwn={row.limitId === null && row.scope.kind === 'user'}>
                    {row.limitId !== null && <span>by limit {row.limitId}</span>}
                  </WindowBar>
                ))}
              </ol>
            )}
          </Panel>
          <UserOverrides view={view} mayChange={state.caller.maySetBudgets} timeZone={state.timeZone} changed={now} />
          {isAdmin && <UserChanges view={view} state={state} changed={now} />}
          </div>
          <div class="column">
          <Panel title="Spent by day" note="the last 28 days">
            {view.days.spent.every((spent) => spent === 0) ? (
              <Empty>This user has spent nothing in the last 28 days.</Empty>
            ) : (
              <Plot title="Money spent by day" times={view.days.times} kinds={[{ name: 'Spent', colour: '--accent', hatch: 'plain', values: view.days.spent }]} each="day" timeZone={state.timeZone} height={190} show={money} showTick={shortMoney} />
            )}
          </Panel>
          <Activity rows={view.activity} timeZone={state.timeZone} now={state.now} />
          </div>
        </div>
      )}
    </>
  )
}

/** Asks anew when something of this user happens, or something was changed. */
function useNews(userId: string, tenant: string | null, log: LiveLog, soon: () => void): void {
  const seen = useRef(log.total)
  useEffect(() => {
    const fresh = log.happenings.filter(({ number }) => number > seen.current)
    seen.current = log.total
    const concerns = fresh.some(({ event }) => event.type === 'changed' || (event.type === 'threshold' ? event.scope.kind === 'user' && event.scope.id === userId : event.userId === userId && event.tenant === tenant))
    if (concerns) soon()
  }, [log.total])
}
