// Limits that are set for one user instead of what the tier says.

import type { UserView } from '../../server/seeing/views.js'
import { ask, query } from '../data/ask.js'
import { budgetWith } from '../data/budgets.js'
import { amount, moment } from '../data/figures.js'
import { Remover } from './form.js'
import { periodText } from './names.js'
import { Empty, Panel } from './panel.js'

type Override = UserView['overrides'][number]

/** What was set at once: the amounts of one period, for good or until a moment. */
interface Group {
  readonly period: string
  readonly until: string | null
  readonly amounts: readonly Override[]
}

/** The overrides: which count now, and which come after them. */
export function UserOverrides({ view, mayChange, timeZone, changed }: { readonly view: UserView; readonly mayChange: boolean; readonly timeZone: string; readonly changed: () => Promise<void> }) {
  const { userId, tenant } = view
  const path = `/v1/users/${encodeURIComponent(userId)}/budget`
  const groups = groupsOf(view.overrides)
  const clear = async (group: Group): Promise<void> => {
    const kept = groups.filter((each) => each !== group && each.period === group.period)
    await ask(`${path}${query({ period: group.period, tenant })}`, { method: 'DELETE' })
    try {
      // The server clears a period as a whole: what is to stay there is set once more.
      for (const body of kept.flatMap(bodiesOf)) await ask(`${path}${query({ tenant })}`, { method: 'PUT', body })
    } catch (error) {
      throw new Error(`${kept.map((each) => wordsOf(each, timeZone)).join(', ')}: went with it, and could not be set again: ${(error as Error).message} Set it once more.`, { cause: error })
    } finally {
      await changed()
    }
  }
  return (
    <Panel title="Overrides">
      {groups.length === 0 ? (
        <Empty>What the tier allows holds. Nothing is set for this user alone.</Empty>
      ) : (
        <ul class="rows">
          {groups.map((group) => (
            <li key={`${group.period} ${group.until ?? ''}`}>
              <span>
                <span class="chip">{periodText(group.period)}</span> <b>{amountsText(group)}</b> <span class="soft">{group.until === null ? 'for good' : `until ${moment(group.until, timeZone)}`}</span>{' '}
                <span class={isCovered(group, groups) ? 'chip' : 'chip chip-strong'}>{isCovered(group, groups) ? 'after that' : 'in force'}</span>
              </span>
              {mayChange && <Remover what={`the ${periodText(group.period)} override ${group.until === null ? 'for good' : 'with an end'}`} label="Clear" remove={() => clear(group)} />}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}

/** One with an end stands before the lasting one of its period. */
function groupsOf(overrides: readonly Override[]): Group[] {
  const groups = new Map<string, Group>()
  for (const each of overrides) {
    const key = JSON.stringify([each.period, each.until])
    groups.set(key, { period: each.period, until: each.until, amounts: [...(groups.get(key)?.amounts ?? []), each] })
  }
  return [...groups.values()].sort((one, other) => one.period.localeCompare(other.period) || Number(one.until === null) - Number(other.until === null))
}

/** True where another one, with an end, counts in the place of each of its amounts. */
function isCovered({ period, until, amounts }: Group, groups: readonly Group[]): boolean {
  const ending = groups.filter((other) => other.period === period && other.until !== null).flatMap((other) => other.amounts)
  return until === null && amounts.every(({ unit }) => ending.some((other) => other.unit === unit))
}

function bodiesOf({ period, until, amounts }: Group): object[] {
  const end = until === null ? {} : { until }
  const limited = amounts.flatMap(({ unit, limit }) => (limit === null ? [] : [{ unit, value: limit }]))
  const lifted = period.startsWith('rolling:') ? { rolling: { [period.slice('rolling:'.length)]: {} } } : { [period]: {} }
  return [...(limited.length < amounts.length ? [{ ...lifted, ...end }] : []), ...limited.map(({ unit, value }) => ({ ...budgetWith({ period, unit, value }), ...end }))]
}

function amountsText({ amounts }: Group): string {
  const limited = amounts.filter(({ limit }) => limit !== null)
  return limited.length === 0 ? 'no limit' : limited.map(({ limit, unit }) => amount(limit as number, unit)).join(', ')
}

function wordsOf(group: Group, timeZone: string): string {
  return `${periodText(group.period)} ${amountsText(group)}${group.until === null ? '' : ` until ${moment(group.until, timeZone)}`}`
}
