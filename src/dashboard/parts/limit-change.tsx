// How a limit is changed: one of its amounts for another, one more, or one less; what it does, and when it ends. What is not touched is not sent.

import { useState } from 'preact/hooks'
import { ask } from '../data/ask.js'
import { amountsIn, patchOf, type Amount } from '../data/budgets.js'
import { amount, shown } from '../data/figures.js'
import { AmountFields, amountOf } from './amount-fields.js'
import { Field, Form, Remover, textOf } from './form.js'
import type { LimitView } from './limit-row.js'
import { periodText } from './names.js'
import { UntilField, untilOf } from './until-field.js'

/** The form. `done` is called when the change is made. */
export function LimitChange({ path, limit, timeZone, done }: { readonly path: string; readonly limit: LimitView; readonly timeZone: string; readonly done: () => Promise<void> }) {
  const amounts = amountsIn(limit.budget)
  const [chosen, setChosen] = useState<number | 'more'>(0)
  const standing = chosen === 'more' ? undefined : amounts[chosen]
  const send = async (fields: FormData): Promise<string> => {
    const given = amountOf(fields)
    const until = untilOf(fields, timeZone, limit.until)
    const mode = textOf(fields, 'mode')
    const isSame = standing !== undefined && given.period === standing.period && given.unit === standing.unit && given.value === standing.value
    const other = amounts.find((each) => each !== standing && each.period === given.period && each.unit === given.unit)
    if (other !== undefined) throw new Error(`Amount: there is ${amountText(other)} already. Choose that one to change it.`)
    const patch = { ...(!isSame && { budget: patchOf(limit.budget, standing, given) }), ...(mode !== limit.mode && { mode }), ...((until ?? null) !== limit.until && { until: until ?? null }) }
    if (Object.keys(patch).length === 0) return 'Nothing was changed: everything is as it was.'
    await ask(path, { method: 'PATCH', body: patch })
    setChosen(0)
    await done()
    return 'The limit is changed.'
  }
  const takeAway = async (less: Amount): Promise<void> => {
    await ask(path, { method: 'PATCH', body: { budget: patchOf(limit.budget, less, undefined) } })
    setChosen(0)
    await done()
  }
  return (
    <>
      {amounts.length > 1 && (
        <ul class="rows" aria-label="Amounts of this limit">
          {amounts.map((each) => (
            <li key={`${each.period} ${each.unit}`}>
              <span>{amountText(each)}</span>
              <Remover what={amountText(each)} label="Take away" remove={() => takeAway(each)} />
            </li>
          ))}
        </ul>
      )}
      <Form label={`Change limit ${shown(limit.id)}`} button="Save" send={send}>
        <Field label="Change">
          {(id) => (
            <select id={id} value={String(chosen)} onChange={(event) => setChosen(event.currentTarget.value === 'more' ? 'more' : Number(event.currentTarget.value))}>
              {amounts.map((each, index) => (
                <option key={`${each.period} ${each.unit}`} value={String(index)}>
                  {amountText(each)}
                </option>
              ))}
              <option value="more">one amount more</option>
            </select>
          )}
        </Field>
        <AmountFields key={JSON.stringify([chosen, standing])} withUnits={true} standing={standing} />
        <Field label="Does">
          {(id) => (
            <select id={id} name="mode">
              <option value="block" selected={limit.mode === 'block'}>
                block
              </option>
              <option value="alert" selected={limit.mode === 'alert'}>
                alert only
              </option>
            </select>
          )}
        </Field>
        <UntilField key={limit.until} timeZone={timeZone} empty="for good" standing={limit.until} />
      </Form>
    </>
  )
}

/** An amount with its period, in words. */
export function amountText({ value, unit, period }: Amount): string {
  return `${amount(value, unit)} ${periodText(period)}`
}
