// Limits that were made at run time: all of them, with how far each is, and the forms that make, change and remove them.

import { useEffect, useRef } from 'preact/hooks'
import type { StateView } from '../../server/seeing/views.js'
import { ask } from '../data/ask.js'
import { useWatched } from '../data/watch.js'
import { LimitForm } from '../parts/limit-form.js'
import { LimitRow, type LimitView } from '../parts/limit-row.js'
import { Empty, Failure, Panel } from '../parts/panel.js'

interface LimitPage {
  readonly items: readonly LimitView[]
  readonly next?: string
}

/** The page of limits. `version` changes with every change that was told of. */
export function Limits({ state, version, stateSoon, refused }: { readonly state: StateView; readonly version: number; readonly stateSoon: () => void; readonly refused: (reason: string) => void }) {
  const pages = useRef(1)
  const { view, error, soon, now } = useWatched<LimitPage>('/v1/limits', 15_000, (path) => firstPages(path, pages.current))
  const isAdmin = state.caller.roles.includes('admin')
  const reader = { now: state.now, ownTenant: state.caller.tenant }
  useEffect(() => {
    if (version > 0) soon()
  }, [version])
  useEffect(() => {
    if (error?.status === 401) refused(error.message)
  }, [error])
  const changed = async (): Promise<void> => {
    await now()
    stateSoon()
  }
  const more = async (): Promise<void> => {
    pages.current += 1
    await now()
  }
  return (
    <>
      <div class="page-head">
        <h1>Limits</h1>
        <p class="facts">Made at run time, on top of what the configuration says. The tightest one that covers a request decides.</p>
      </div>
      {error !== undefined && <Failure>{error.message}</Failure>}
      <div class="board board-limits">
        <Panel title="In force and to come">
          {view === undefined && error === undefined && <Empty>Looking …</Empty>}
          {view?.items.length === 0 && <NoLimits state={state} isAdmin={isAdmin} />}
          <ol class="limits">
            {view?.items.map((limit) => (
              <LimitRow key={limit.id} limit={limit} rows={state.budgets.filter(({ limitId }) => limitId === limit.id)} reader={reader} timeZone={state.timeZone} isAdmin={isAdmin} changed={changed} />
            ))}
          </ol>
          {view?.next !== undefined && (
            <button type="button" class="quiet" onClick={() => void more()}>
              Show more
            </button>
          )}
        </Panel>
        {isAdmin && <LimitForm state={state} changed={changed} />}
      </div>
    </>
  )
}

function NoLimits({ state: { caller }, isAdmin }: { readonly state: StateView; readonly isAdmin: boolean }) {
  if (caller.isOperator) return <Empty>No limit was made yet. {isAdmin ? 'Make the first one with the form.' : 'A key with the role admin makes one.'}</Empty>
  return <Empty>There is none that this key may see. {isAdmin ? 'Make one with the form.' : ''}</Empty>
}

/** The first pages of a list as one: as many as somebody has unfolded, so that a change does not fold them up. */
async function firstPages(path: string, most: number): Promise<LimitPage> {
  const items: LimitView[] = []
  let next: string | undefined
  for (let page = 0; page < most; page += 1) {
    const found: LimitPage = await ask(`${path}${next === undefined ? '' : `?cursor=${encodeURIComponent(next)}`}`)
    items.push(...found.items)
    next = found.next
    if (next === undefined) break
  }
  return { items, ...(next !== undefined && { next }) }
}
