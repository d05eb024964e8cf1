// What a key with the role `admin` may change about a user: the tier and an override with an end, where it may let users spend more; and a limit.

import { useEffect, useRef } from 'preact/hooks'
import type { StateView, UserView } from '../../server/seeing/views.js'
import { ask, query } from '../data/ask.js'
import { budgetWith } from '../data/budgets.js'
import { moment } from '../data/figures.js'
import { AmountFields, amountOf } from './amount-fields.js'
import { Field, Form, textOf } from './form.js'
import { periodText } from './names.js'
import { Panel } from './panel.js'
import { UntilField, untilOf } from './until-field.js'

/** The forms that the reader's key may send. */
export function UserChanges({ view, state, changed }: { readonly view: Pick<UserView, 'userId' | 'tenant' | 'tier' | 'tierFrom'>; readonly state: StateView; readonly changed: () => Promise<void> }) {
  const { tiers, timeZone, caller } = state
  const path = `/v1/users/${encodeURIComponent(view.userId)}`
  const of = query({ tenant: view.tenant })

  const setTier = async (fields: FormData): Promise<string> => {
    const tier = textOf(fields, 'tier') ?? null
    await ask(`${path}/tier${of}`, { method: 'PUT', body: { tier } })
    await changed()
    return tier === null ? 'The tier is the default again.' : `The tier is ${tier} now.`
  }
  const setOverride = async (fields: FormData): Promise<string> => {
    const given = amountOf(fields)
    const until = untilOf(fields, timeZone)
    const { overrides } = await ask<Pick<UserView, 'overrides'>>(`${path}/budget${of}`, { method: 'PUT', body: { ...budgetWith(given), ...(until !== undefined && { until }) } })
    await changed()
    const words = periodText(given.period)
    const over = until === undefined ? overrides.find((each) => each.until !== null && each.period === given.period && each.unit === given.unit)?.until : undefined
    return typeof over === 'string' ? `The ${words} override is set: the one that is there until ${moment(over, timeZone)} goes before it.` : `The ${words} override is in force.`
  }
  const makeLimit = async (fields: FormData): Promise<string> => {
    const given = amountOf(fields)
    const until = untilOf(fields, timeZone)
    const scope = { kind: 'user', id: view.userId, ...(view.tenant !== null && { tenant: view.tenant }) }
    await ask('/v1/limits', { method: 'POST', body: { scope, budget: budgetWith(given), ...(until !== undefined && { until }) } })
    await changed()
    return `The ${periodText(given.period)} limit is in force, on top of the tier.`
  }

  return (
    <Panel title="Change">
      {!caller.maySetBudgets && <p class="soft">The tier and overrides are set by whoever runs the server: this key may only make limits.</p>}
      {caller.maySetBudgets && (
        <>
          <h3>Tier</h3>
          <Form label="Change the tier" button="Set tier" send={setTier}>
            <Field label="New tier">{(id) => <TierSelect id={id} tier={view.tierFrom === 'directory' ? view.tier : null} tiers={tiers} />}</Field>
          </Form>
          <h3>Override</h3>
          <p class="soft">Stands instead of what the tier allows in that period.</p>
          <Form label="Set an override" button="Set override" send={setOverride}>
            <AmountFields withUnits={false} />
            <UntilField timeZone={timeZone} empty="for good" />
          </Form>
        </>
      )}
      <h3>Limit</h3>
      <p class="soft">
        Holds beside the tier: both must fit. <a href="#/limits">All limits</a>
      </p>
      <Form label="Make a limit" button="Make limit" send={makeLimit}>
        <AmountFields withUnits={true} />
        <UntilField timeZone={timeZone} empty="for good" />
      </Form>
    </Panel>
  )
}

/** Follows the tier as it stands, without taking back what somebody has just chosen. */
function TierSelect({ id, tier, tiers }: { readonly id: string; readonly tier: string | null; readonly tiers: readonly string[] }) {
  const select = useRef<HTMLSelectElement>(null)
  useEffect(() => {
    if (select.current !== null) select.current.value = tier ?? ''
  }, [tier])
  return (
    <select id={id} name="tier" ref={select}>
      <option value="">none of their own (the default)</option>
      {tiers.map((each) => (
        <option key={each} value={each}>
          {each}
        </option>
      ))}
    </select>
  )
}
