// What was decided over the last 24 hours, by the hour, and what it has cost: calls that are settled, and refusals. What is held is not yet
// among them.

import type { StateView } from '../../server/seeing/views.js'
import { count, money } from '../data/figures.js'
import { ActionMark, Empty, Panel } from './panel.js'
import { Plot, type Kind } from './plot.js'

/** The plot of actions, with how many of each. */
export function ActionsPlot({ state }: { readonly state: StateView }) {
  const { hours, timeZone } = state
  const kinds: readonly Kind[] = [
    { name: 'ALLOW', colour: '--allow', hatch: 'plain', values: hours.allow },
    { name: 'WARN', colour: '--warn', hatch: 'dots', values: hours.warn },
    { name: 'DEGRADE', colour: '--degrade', hatch: 'lines', values: hours.degrade },
    { name: 'BLOCK', colour: '--block', hatch: 'grid', values: hours.block },
  ]
  const sums = kinds.map(({ values }) => values.reduce((sum, value) => sum + value, 0))
  const total = sums.reduce((sum, value) => sum + value, 0)
  const spent = hours.spent.reduce((sum, value) => sum + value, 0)
  const isEmpty = total === 0 && spent === 0
  return (
    <Panel title="Last 24 hours" note={isEmpty ? undefined : `${count(total)} settled calls and refusals, ${money(spent)}`}>
      {isEmpty ? (
        <Empty>No call was settled or refused in the last 24 hours.</Empty>
      ) : (
        <>
          <ul class="keys" aria-label="Settled calls and refusals of the last 24 hours">
            {kinds.map(({ name }, index) => (
              <li key={name}>
                <span class={`swatch swatch-${name.toLowerCase()}`} aria-hidden="true" />
                <ActionMark action={name} />
                <b>{count(sums[index] ?? 0)}</b>
                <span class="soft">{total === 0 ? '' : `${Math.round((100 * (sums[index] ?? 0)) / total)}%`}</span>
              </li>
            ))}
          </ul>
          <Plot title="Decisions by hour" times={hours.times} kinds={kinds} each="hour" timeZone={timeZone} height={190} show={count} />
          <h3 class="plot-title">Spent by hour</h3>
          <Plot title="Money spent by hour" times={hours.times} kinds={[{ name: 'Spent', colour: '--accent', hatch: 'plain', values: hours.spent }]} each="hour" timeZone={timeZone} height={110} show={money} showTick={shortMoney} />
        </>
      )}
    </Panel>
  )
}

/** Money for an axis. */
export function shortMoney(usd: number): string {
  if (usd === 0) return '$0'
  return usd >= 1_000 ? `$${(usd / 1_000).toLocaleString('en', { maximumFractionDigits: 1 })}k` : `$${usd.toLocaleString('en', { maximumSignificantDigits: 3 })}`
}
