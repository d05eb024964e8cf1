// An amount for a period, as people enter it and as the server takes it.

import { useState } from 'preact/hooks'
import { Field, numberOf, textOf } from './form.js'

const PERIODS = ['daily', 'weekly', 'monthly', 'total', 'rolling'] as const

/** Fields for one amount: how much of what, and in which period. */
export function AmountFields({ withUnits }: { readonly withUnits: boolean }) {
  const [period, setPeriod] = useState<string>('daily')
  return (
    <>
      <Field label="Amount">
        {(id) => <input id={id} name="amount" inputMode="decimal" autocomplete="off" size={8} placeholder="25" />}
      </Field>
      {withUnits && (
        <Field label="Of">
          {(id) => (
            <select id={id} name="unit">
              <option value="usd">USD</option>
              <option value="tokens">tokens</option>
              <option value="requests">requests</option>
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
      {period === 'rolling' && <Field label="Length">{(id) => <input id={id} name="length" autocomplete="off" size={6} placeholder="5h" />}</Field>}
    </>
  )
}

/** What the fields say, as a budget of the API: `{ daily: 25 }`, `{ rolling: { '5h': { requests: 20 } } }`. Throws what is wrong. */
export function budgetOf(fields: FormData): { readonly budget: object; readonly words: string } {
  const value = numberOf(fields, 'amount', 'Amount')
  const unit = textOf(fields, 'unit') ?? 'usd'
  const period = textOf(fields, 'period') ?? 'daily'
  const given = unit === 'usd' ? value : { [unit]: value }
  if (period !== 'rolling') return { budget: { [period]: given }, words: period }
  const length = textOf(fields, 'length')
  if (length === undefined) throw new Error('Length: is empty. Give one for a rolling window, such as 5h.')
  return { budget: { rolling: { [length]: given } }, words: `any ${length}` }
}
