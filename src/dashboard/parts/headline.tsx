// The figures that can be read from across the room.

import type { ComponentChildren } from 'preact'
import type { StateView } from '../../server/seeing/views.js'
import { count, counted, money, percent } from '../data/figures.js'

/** Spent today and this month, a day's burn, calls and denials. */
export function Headline({ state }: { readonly state: StateView }) {
  const { today, month, burnPerDay, burnDays, limits } = state
  const asked = today.calls + today.denials
  return (
    <dl class="headline">
      <Figure name="Spent today" value={money(today.spent)} isMain />
      <Figure name="Spent this month" value={money(month.spent)}>
        {counted(month.calls, 'call')}
      </Figure>
      <Figure name="Burn per day" value={burnPerDay === null ? '–' : money(burnPerDay)}>
        {burnPerDay === null || burnDays === null ? 'not enough data yet' : burnDays === 1 ? 'by today alone' : `over the last ${counted(burnDays, 'day')}`}
      </Figure>
      <Figure name="Calls today" value={count(today.calls)}>
        {today.calls === 0 ? 'none so far' : `${money(today.spent / today.calls)} each`}
      </Figure>
      <Figure name="Denials today" value={count(today.denials)} level={today.denials > 0 ? 'over' : 'calm'}>
        {asked === 0 ? 'nobody has asked' : `${percent((100 * today.denials) / asked)} of requests`}
      </Figure>
      <Figure name="Limits exceeded" value={count(limits.exceeded)} level={limits.exceeded > 0 ? 'over' : 'calm'}>
        {limits.watched === 0 ? (state.caller.isOperator ? 'no limits to watch' : 'no shared one to see') : `of ${count(limits.watched)} watched`}
      </Figure>
    </dl>
  )
}

function Figure({ name, value, isMain = false, level = 'calm', children }: { readonly name: string; readonly value: string; readonly isMain?: boolean; readonly level?: 'calm' | 'over'; readonly children?: ComponentChildren }) {
  return (
    <div class={`figure ${isMain ? 'figure-main' : ''} level-${level}`}>
      <dt>{name}</dt>
      <dd>
        <span class="value">{value}</span>
        {children !== undefined && <span class="beside">{children}</span>}
      </dd>
    </div>
  )
}
