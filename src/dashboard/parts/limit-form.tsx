// The form that makes a limit. It offers whom the reader's key may limit; the server decides.

import { useState } from 'preact/hooks'
import type { StateView } from '../../server/seeing/views.js'
import { ask } from '../data/ask.js'
import { budgetWith } from '../data/budgets.js'
import { AmountFields, amountOf } from './amount-fields.js'
import { Field, Form, textOf } from './form.js'
import { Panel } from './panel.js'
import { UntilField, untilOf } from './until-field.js'

type Whom = 'global' | 'tenant' | 'tier' | 'user' | 'each-user' | 'each-tenant'

/** The form. */
export function LimitForm({ state: { caller, tiers, timeZone }, changed }: { readonly state: StateView; readonly changed: () => Promise<void> }) {
  const choices: readonly (readonly [Whom, string])[] = caller.isOperator
    ? [
        ['user', 'one user'],
        ['each-user', 'each user, apart'],
        ['tenant', 'one tenant'],
        ['each-tenant', 'each tenant, apart'],
        ['tier', 'all users of a tier, together'],
        ['global', 'everything'],
      ]
    : [
        ['user', 'one user'],
        ['each-user', 'each user, apart'],
        ['tenant', 'the whole tenant'],
      ]
  const [whom, setWhom] = useState<Whom>('user')
  const namesTenant = caller.isOperator && (whom === 'user' || whom === 'each-user')
  const namesOne = whom === 'user' || whom === 'tier' || (whom === 'tenant' && caller.isOperator)

  const send = async (fields: FormData): Promise<string> => {
    const budget = budgetWith(amountOf(fields))
    const until = untilOf(fields, timeZone)
    const description = textOf(fields, 'description')
    const scope = scopeOf(whom, textOf(fields, 'id'), caller.isOperator ? textOf(fields, 'tenant') : (caller.tenant ?? undefined))
    await ask('/v1/limits', { method: 'POST', body: { scope, budget, mode: textOf(fields, 'mode'), ...(until !== undefined && { until }), ...(description !== undefined && { description }) } })
    await changed()
    return 'The limit is made.'
  }

  return (
    <Panel title="Make a limit">
      <Form label="Make a limit" button="Make limit" send={send}>
        <Field label="Whom">
          {(id) => (
            <select id={id} name="whom" value={whom} onChange={(event) => setWhom(event.currentTarget.value as Whom)}>
              {choices.map(([value, words]) => (
                <option key={value} value={value}>
                  {words}
                </option>
              ))}
            </select>
          )}
        </Field>
        {namesOne && whom !== 'tier' && <Field label={whom === 'user' ? 'User id' : 'Tenant id'}>{(id) => <input id={id} name="id" autocomplete="off" spellcheck={false} />}</Field>}
        {whom === 'tier' && (
          <Field label="Tier">
            {(id) => (
              <select id={id} name="id">
                {tiers.map((tier) => (
                  <option key={tier} value={tier}>
                    {tier}
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
        {namesTenant && (
          <Field label="Of tenant" hint="Empty: of none">
            {(id, hintId) => <input id={id} name="tenant" autocomplete="off" spellcheck={false} aria-describedby={hintId} />}
          </Field>
        )}
        <AmountFields withUnits={true} />
        <Field label="Does">
          {(id) => (
            <select id={id} name="mode">
              <option value="block">block</option>
              <option value="alert">alert only</option>
            </select>
          )}
        </Field>
        <UntilField timeZone={timeZone} empty="for good" />
        <Field label="What for" hint="A denial shows it">
          {(id, hintId) => <input id={id} name="description" autocomplete="off" aria-describedby={hintId} />}
        </Field>
      </Form>
    </Panel>
  )
}

function scopeOf(whom: Whom, id: string | undefined, tenant: string | undefined): object {
  const of = tenant === undefined ? {} : { tenant }
  if (whom === 'global') return { kind: 'global' }
  if (whom === 'each-tenant') return { kind: 'tenant', id: '*' }
  if (whom === 'each-user') return { kind: 'user', id: '*', ...of }
  const named = id ?? (whom === 'tenant' ? tenant : undefined)
  if (named === undefined) throw new Error(`${whom === 'user' ? 'User' : 'Tenant'} id: is empty. Say whom the limit covers.`)
  return whom === 'user' ? { kind: 'user', id: named, ...of } : { kind: whom, id: named }
}
