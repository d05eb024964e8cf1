// One limit: whom it covers, what it allows, how far it is; and, for those who may, its change and its end.

import { useState } from 'preact/hooks'
import type { WindowRow } from '../../server/views.js'
import { ask } from '../data/ask.js'
import { amount, moment, shown } from '../data/figures.js'
import { AmountFields, budgetOf } from './amount-fields.js'
import { Field, Form, instantOf, Remover, textOf } from './form.js'
import { periodText, ScopeName } from './names.js'
import { WindowBar, type Reader } from './window-bar.js'

type Amount = number | string | { readonly usd?: number | string; readonly tokens?: number; readonly requests?: number }

/** A limit as the API tells it. */
export interface LimitView {
  readonly id: string
  /** Whether this key may change it. */
  readonly managed: boolean
  readonly scope: { readonly kind: string; readonly id?: string; readonly tenant?: string }
  readonly budget: { readonly [period in 'daily' | 'weekly' | 'monthly' | 'total']?: Amount } & { readonly rolling?: Readonly<Record<string, Amount>> }
  readonly from: string | null
  readonly until: string | null
  readonly mode: 'block' | 'alert'
  readonly description: string | null
  readonly state: 'upcoming' | 'active' | 'expired'
}

/** A row of the list. */
export function LimitRow({ limit, rows, reader, timeZone, isAdmin, changed }: { readonly limit: LimitView; readonly rows: readonly WindowRow[]; readonly reader: Reader; readonly timeZone: string; readonly isAdmin: boolean; readonly changed: () => Promise<void> }) {
  const [isOpen, setOpen] = useState(false)
  const path = `/v1/limits/${encodeURIComponent(limit.id)}`
  const scope = { kind: limit.scope.kind, id: limit.scope.id ?? '*', tenant: limit.scope.tenant }
  const remove = async (): Promise<void> => {
    await ask(path, { method: 'DELETE' })
    await changed()
  }
  return (
    <li class="limit" data-limit={limit.id}>
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
        <b>{amountsOf(limit).join(', ')}</b>
        <span class="soft">
          {limit.from !== null && limit.state === 'upcoming' ? ` from ${moment(limit.from, timeZone)}` : ''}
          {limit.until === null ? '' : ` until ${moment(limit.until, timeZone)}`}
        </span>
      </p>
      {limit.description !== null && <p class="soft limit-text">{shown(limit.description)}</p>}
      {rows.length > 0 && (
        <ol class="windows">
          {rows.map((row) => (
            <WindowBar key={`${row.scope.id} ${row.period} ${row.unit}`} row={row} reader={reader} isOwn={row.scope.id === scope.id || scope.kind === 'global'} />
          ))}
        </ol>
      )}
      {isOpen && <LimitChange path={path} limit={limit} changed={changed} />}
    </li>
  )
}

function LimitChange({ path, limit, changed }: { readonly path: string; readonly limit: LimitView; readonly changed: () => Promise<void> }) {
  const send = async (fields: FormData): Promise<string> => {
    const budget = textOf(fields, 'amount') === undefined ? undefined : budgetOf(fields).budget
    const until = instantOf(fields, 'until')
    const mode = textOf(fields, 'mode')
    await ask(path, { method: 'PATCH', body: { mode, ...(budget !== undefined && { budget }), ...(until !== undefined && { until }) } })
    await changed()
    return 'The limit is changed.'
  }
  return (
    <Form label={`Change limit ${shown(limit.id)}`} button="Save" send={send}>
      <AmountFields withUnits={true} />
      <Field label="Does">
        {(id) => (
          <select id={id} name="mode" defaultValue={limit.mode}>
            <option value="block">block</option>
            <option value="alert">alert only</option>
          </select>
        )}
      </Field>
      <Field label="Until" hint="Empty: stays as it is">
        {(id, hintId) => <input id={id} name="until" type="datetime-local" aria-describedby={hintId} />}
      </Field>
    </Form>
  )
}

function amountsOf({ budget }: LimitView): string[] {
  const named = (['daily', 'weekly', 'monthly', 'total'] as const).map((period) => [period, budget[period]] as const)
  const rolling = Object.entries(budget.rolling ?? {}).map(([length, given]) => [`rolling:${length}`, given] as const)
  return [...named, ...rolling].flatMap(([period, given]) => {
    if (given === undefined) return []
    const units = typeof given === 'object' ? Object.entries(given).filter(([unit]) => unit !== 'anchor') : [['usd', given] as const]
    return units.map(([unit, value]) => `${amount(Number(value), unit)} ${periodText(period)}`)
  })
}
