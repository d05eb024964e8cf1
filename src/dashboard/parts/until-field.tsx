// The field for a moment at which something ends. It is in the zone of the budgets, whatever the zone of this machine is, and says which
// moment it has understood.

import { useState } from 'preact/hooks'
import { momentInZone } from '../data/figures.js'
import { instantIn, wallTime } from '../data/zone.js'
import { Field, textOf } from './form.js'

/** The field. `empty`: what it means to leave it empty. `standing`: the moment that it has at first. */
export function UntilField({ timeZone, empty, standing = null }: { readonly timeZone: string; readonly empty: string; readonly standing?: string | null }) {
  const first = standing === null ? '' : wallTime(standing, timeZone)
  const [text, setText] = useState(first)
  const instant = text === first ? (standing ?? undefined) : instantIn(text, timeZone)
  return (
    <Field label="Until" hint={instant === undefined ? `In ${timeZone}. Empty: ${empty}` : `${momentInZone(instant, timeZone)} in ${timeZone}`}>
      {(id, hintId) => <input id={id} name="until" type="datetime-local" defaultValue={first} aria-describedby={hintId} onInput={(event) => setText(event.currentTarget.value)} />}
    </Field>
  )
}

/** The moment that the field says, as the server takes it; `undefined`: left empty. `standing`: what it had at first. Throws what is wrong. */
export function untilOf(fields: FormData, timeZone: string, standing: string | null = null): string | undefined {
  const text = textOf(fields, 'until')
  if (text === undefined) return undefined
  if (standing !== null && text === wallTime(standing, timeZone)) return standing
  const instant = instantIn(text, timeZone)
  if (instant === undefined) throw new Error(`Until: "${text}" is no date with a time. Give both, such as 2030-12-31T18:00.`)
  return instant
}
