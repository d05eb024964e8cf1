// What a key with the role `admin` may change about a user: the tier, an override with an end, a limit.

import { useEffect, useRef } from 'preact/hooks'
import type { UserView } from '../../server/views.js'
import { ask, query } from '../data/ask.js'
import { AmountFields, budgetOf } from './amount-fields.js'
import { Field, Form, instantOf, textOf } from './form.js'
import { Panel } from './panel.js'

/** The forms. */
export function UserChanges({ view, tiers, changed }: { readonly view: Pick<UserView, 'userId' | 'tenant' | 'tier' | 'tierFrom'>; readonly tiers: readonly string[]; readonly changed: () => Promise<void> }) {
  const path = `/v1/users/${encodeURIComponent(view.userId)}`
  const of = query({ tenant: view.tenant })

  const setTier = async (fields: FormData): Promise<string> => {
    const tier = textOf(fields, 'tier') ?? null
    await ask(`${path}/tier${of}`, { method: 'PUT', body: { tier } })
    await changed()
    return tier === null ? 'The tier is the default again.' : `The tier is ${tier} now.`
  }
  const setOverride = async (fields: FormData): Promise<string> => {
    const { budget, words } = budgetOf(fields)
    const until = instantOf(fields, 'until')
    await ask(`${path}/budget${of}`, { method: 'PUT', body: { ...budget, ...(until !== undefined && { until }) } })
    await changed()
    return `The ${words} override is in force.`
  }
  const makeLimit = async (fields: FormData): Promise<string> => {
    const { budget, words } = budgetOf(fields)
    const until = instantOf(fields, 'until')
    const scope = { kind: 'user', id: view.userId, ...(view.tenant !== null && { tenant: view.tenant }) }
    await ask('/v1/limits', { method: 'POST', body: { scope, budget, ...(until !== undefined && { until }) } })
    await changed()
    return `The ${words} limit is in force, on top of the tier.`
  }

  return (
    <Panel title="Change">
      <h3>Tier</h3>
      <Form label="Change the tier" button="Set tier" send={setTier}>
        <Field label="New tier">{(id) => <TierSelect id={id} tier={view.tierFrom === 'directory' ? view.tier : null} tiers={tiers} />}</Field>
      </Form>
      <h3>Override</h3>
      <p class="soft">Stands instead of what the tier allows in that period.</p>
      <Form label="Set an override" button="Set override" send={setOverride}>
        <AmountFields withUnits={false} />
        <Field label="Until" hint="Empty: for good">
          {(id, hintId) => <input id={id} name="until" type="datetime-local" aria-describedby={hintId} />}
        </Field>
      </Form>
      <h3>Limit</h3>
      <p class="soft">
        Holds beside the tier: both must fit. <a href="#/limits">All limits</a>
      </p>
      <Form label="Make a limit" button="Make limit" send={makeLimit}>
        <AmountFields withUnits={true} />
        <Field label="Until" hint="Empty: for good">
          {(id, hintId) => <input id={id} name="until" type="datetime-local" aria-describedby={hintId} />}
        </Field>
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
