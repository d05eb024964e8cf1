// One limit: whom it covers, what it allows, how far it is; and, for those who may, its change and its end.

import { useEffect, useRef, useState } from 'preact/hooks'
import type { WindowRow } from '../../server/seeing/views.js'
import { ask } from '../data/ask.js'
import { amountsIn, type BudgetView } from '../data/budgets.js'
import { count, moment, shown } from '../data/figures.js'
import { useWatched } from '../data/watch.js'
import { Remover } from './form.js'
import { amountText, LimitChange } from './limit-change.js'
import { ScopeName } from './names.js'
import { WindowBar, type Reader } from './window-bar.js'

/** A limit as the API tells it. */
export interface LimitView {
  readonly id: string
  /** Whether this key may change it. */
  readonly managed: boolean
  readonly scope: { readonly kind: string; readonly id?: string; readonly tenant?: string }
  readonly budget: BudgetView
  readonly from: string | null
  readonly until: string | null
  readonly mode: 'block' | 'alert'
  readonly description: string | null
  readonly state: 'upcoming' | 'active' | 'expired'
}

const MOST_WINDOWS = 6
const PROGRESS_MS = 30_000

/** A row of the list. `rows`: its windows, where the state has them; else they are asked for once the row is seen. */
export function LimitRow({ limit, rows, reader, timeZone, isAdmin, changed }: { readonly limit: LimitView; readonly rows: readonly WindowRow[]; readonly reader: Reader; readonly timeZone: string; readonly isAdmin: boolean; readonly changed: () => Promise<void> }) {
  const [isOpen, setOpen] = useState(false)
  const element = useRef<HTMLLIElement>(null)
  const path = `/v1/limits/${encodeURIComponent(limit.id)}`
  const scope = { kind: limit.scope.kind, id: limit.scope.id ?? '*', tenant: limit.scope.tenant }
  const isSeen = useSeen(element)
  const asked = useWatched<{ readonly items: readonly WindowRow[] }>(rows.length === 0 && isSeen && limit.state === 'active' ? `${path}/progress` : undefined, PROGRESS_MS)
  const budget = JSON.stringify(limit.budget)
  useEffect(() => asked.soon(), [budget])
  const windows = rows.length > 0 ? rows : (asked.view?.items ?? []).toSorted((one, other) => other.usedPct - one.usedPct)
  const remove = async (): Promise<void> => {
    await ask(path, { method: 'DELETE' })
    await changed()
  }
  return (
    <li class="limit" data-limit={limit.id} ref={element}>
      <div class="limit-head">
        <div>
          <ScopeName scope={scope} ownTenant={reader.ownTenant} />
          <span class={`chip ${limit.mode === 'block' ? 'chip-strong' : ''}`}>{limit.mode === 'block' ? 'blocks' : 'alerts only'}</span>
          {limit.state !== 'active' && <span class="chip">{limit.state}</span>}
        </div>
        {isAdmin && limit.managed && (
          <span class="limit-acts">
            <button type="button" class="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
              Change<span class="only-heard"> limit {shown(limit.id)}</span>
            </button>
            <Remover what={`limit ${shown(limit.id)}`} remove={remove} />
          </span>
        )}
      </div>
      <p class="limit-says">
        <b>{amountsIn(limit.budget).map(amountText).join(', ')}</b>
        <span class="soft">
          {limit.from !== null && limit.state === 'upcoming' ? ` from ${moment(limit.from, timeZone)}` : ''}
          {limit.until === null ? '' : ` until ${moment(limit.until, timeZone)}`}
        </span>
      </p>
      {limit.description !== null && <p class="soft limit-text">{shown(limit.description)}</p>}
      {windows.length > 0 && (
        <ol class="windows">
          {windows.slice(0, MOST_WINDOWS).map((row) => (
            <WindowBar key={`${row.scope.id} ${row.scope.tenant ?? ''} ${row.period} ${row.unit}`} row={row} reader={reader} isOwn={row.scope.id === scope.id || scope.kind === 'global'} />
          ))}
        </ol>
      )}
      {windows.length > MOST_WINDOWS && <p class="soft more">and {count(windows.length - MOST_WINDOWS)} more, less full</p>}
      {isOpen && <LimitChange path={path} limit={limit} timeZone={timeZone} done={changed} />}
    </li>
  )
}

/** Whether an element was ever near what somebody sees. */
function useSeen(element: { readonly current: Element | null }): boolean {
  const [isSeen, setSeen] = useState(false)
  useEffect(() => {
    if (element.current === null) return
    const watcher = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return
      setSeen(true)
      watcher.disconnect()
    }, { rootMargin: '200px' })
    watcher.observe(element.current)
    return () => watcher.disconnect()
  }, [])
  return isSeen
}
