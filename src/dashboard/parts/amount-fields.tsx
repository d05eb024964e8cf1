// An amount for a period, as people enter it.

import { useState } from 'preact/hooks'
import type { Amount } from '../data/budgets.js'
import { Field, numberOf, textOf } from './form.js'

const PERIODS = ['daily', 'weekly', 'monthly', 'total', 'rolling'] as const
const UNITS = ['usd', 'tokens', 'requests'] as const

/** Fields for one amount: how much of what, and in which period. `standing`: what they have at first. */
export function AmountFields({ withUnits, standing }: { readonly withUnits: boolean; readonly standing?: Amount | undefined }) {
  const [, length] = /^rolling:(.+)$/.exec(standing?.period ?? '') ?? []
  const [period, setPeriod] = useState<string>(length === undefined ? (standing?.period ?? 'daily') : 'rolling')
  return (
    <>
      <Field label="Amount">
        {(id) => <input id={id} name="amount" inputMode="decimal" autocomplete="off" size={8} placeholder="25" defaultValue={standing === undefined ? '' : inDigits(standing.value)} />}
      </Field>
      {withUnits && (
        <Field label="Of">
          {(id) => (
            <select id={id} name="unit">
              {UNITS.map((unit) => (
                <option key={unit} value={unit} selected={unit === (standing?.unit ?? 'usd')}>
                  {unit === 'usd' ? 'USD' : unit}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Field label="Period">
        {(id) => (
          <select id={id} name="period" value={period} onChange={(event) => setPeriod(event.currentTarget.value)}>
            {PERIODS.map((period) => (
              <option key={period} value={period}>
                {period === 'total' ? 'total, for ever' : period === 'rolling' ? 'rolling, of a length' : period}
              </option>
            ))}
          </select>
        )}
      </Field>
      {period === 'rolling' && <Field label="Length">{(id) => <input id={id} name="length" autocomplete="off" size={6} placeholder="5h" defaultValue={length ?? ''} />}</Field>}
    </>
  )
}

/** What the fields say. Throws what is wrong. */
export function amountOf(fields: FormData): Amount {
  const value = numberOf(fields, 'amount', 'Amount')
  const unit = textOf(fields, 'unit') ?? 'usd'
  const period = textOf(fields, 'period') ?? 'daily'
  if (period !== 'rolling') return { period, unit, value }
  const length = textOf(fields, 'length')
  if (length === undefined) throw new Error('Length: is empty. Give one for a rolling window, such as 5h.')
  return { period: `rolling:${length}`, unit, value }
}

/** A number without an exponent. */
function inDigits(value: number): string {
  return value.toLocaleString('en', { useGrouping: false, maximumFractionDigits: 8 })
}
