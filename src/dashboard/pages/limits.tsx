// Limits that were made at run time: all of them, with how far each is, and the forms that make, change and remove them.

import { useEffect, useState } from 'preact/hooks'
import type { StateView } from '../../server/views.js'
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
  const { view, error, soon, now } = useWatched<LimitPage>('/v1/limits', 15_000)
  const [further, setFurther] = useState<LimitPage | undefined>(undefined)
  const isAdmin = state.caller.roles.includes('admin')
  const reader = { now: state.now, ownTenant: state.caller.tenant }
  useEffect(() => {
    if (version > 0) soon()
  }, [version])
  useEffect(() => {
    if (error?.status === 401) refused(error.message)
  }, [error])
  const changed = async (): Promise<void> => {
    setFurther(undefined)
    await now()
    stateSoon()
  }
  const items = [...(view?.items ?? []), ...(further?.items ?? [])]
  const next = further === undefined ? view?.next : further.next
  const more = async (): Promise<void> => {
    const page = await ask<LimitPage>(`/v1/limits?cursor=${encodeURIComponent(next ?? '')}`)
    setFurther({ ...page, items: [...(further?.items ?? []), ...page.items] })
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
          {view !== undefined && items.length === 0 && <Empty>No limit was made yet. {isAdmin ? 'Make the first one with the form.' : 'A key with the role admin makes one.'}</Empty>}
          <ol class="limits">
            {items.map((limit) => (
              <LimitRow key={limit.id} limit={limit} rows={state.budgets.filter(({ limitId }) => limitId === limit.id)} reader={reader} timeZone={state.timeZone} isAdmin={isAdmin} changed={changed} />
            ))}
          </ol>
          {next !== undefined && (
            <button type="button" class="quiet" onClick={() => void more()}>
              Show more
            </button>
          )}
        </Panel>
        {isAdmin && <LimitForm caller={state.caller} tiers={state.tiers} changed={changed} />}
      </div>
    </>
  )
}
