// Who and what the month's money went to: by tenant, tier and model, and the users who have spent most.

import type { RestOfRows, SpendRow, StateView } from '../../server/seeing/views.js'
import { count, counted, money, percent } from '../data/figures.js'
import { Name, UserName } from './names.js'
import { Empty, Panel } from './panel.js'

const SHOWN = 8

/** What groups of one kind have spent this month. `more`: what `rows` has no room for. */
export function SpendList({ title, rows, more, none }: { readonly title: string; readonly rows: readonly SpendRow[]; readonly more: RestOfRows; readonly none: string }) {
  const most = Math.max(...rows.map(({ spent }) => spent), 1e-9)
  return (
    <Panel title={title} note="this month">
      {rows.length === 0 ? (
        <Empty>Nothing was spent this month.</Empty>
      ) : (
        <ol class="spends">
          {rows.slice(0, SHOWN).map((row) => (
            <li key={row.name ?? ''}>
              <span class="spend-name">{row.name === null ? <span class="soft">{none}</span> : <Name>{row.name}</Name>}</span>
              <span class="spend-figures">
                {row.denials > 0 && <span class="denied">{count(row.denials)} denied</span>}
                <span class="soft">{counted(row.calls, 'call')}</span>
                <b>{money(row.spent)}</b>
              </span>
              <span class="spend-bar" aria-hidden="true">
                <i style={{ width: `${Math.max(0, (100 * row.spent) / most)}%` }} />
              </span>
            </li>
          ))}
        </ol>
      )}
      <Rest hidden={rows.slice(SHOWN)} more={more} />
    </Panel>
  )
}

/** What is not shown, in one line: rows that have come, and what those come to that have not. */
function Rest({ hidden, more }: { readonly hidden: readonly SpendRow[]; readonly more: RestOfRows }) {
  const others = hidden.length + more.count
  if (others === 0) return null
  return (
    <p class="soft more">
      and {money(hidden.reduce((sum, { spent }) => sum + spent, more.spent))} of {count(others)} more
    </p>
  )
}

const SPENDERS = 10

/** The users who have spent most this month. */
export function TopSpenders({ state }: { readonly state: StateView }) {
  const rows = state.topSpenders.slice(0, SPENDERS)
  return (
    <Panel title="Top spenders" note="this month">
      {rows.length === 0 ? (
        <Empty>Nobody has spent anything this month.</Empty>
      ) : (
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">User</th>
              <th scope="col" class="may-go">
                Tier
              </th>
              <th scope="col" class="number">
                Used
              </th>
              <th scope="col" class="number">
                Spent
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={JSON.stringify([row.tenant, row.userId])}>
                <td class="wide">
                  <UserName userId={row.userId} tenant={row.tenant} ownTenant={state.caller.tenant} />
                </td>
                <td class="may-go">{row.tier === null ? '–' : <Name>{row.tier}</Name>}</td>
                <td class={`number ${(row.usedPct ?? 0) >= 100 ? 'is-over' : (row.usedPct ?? 0) >= 80 ? 'is-near' : ''}`}>{row.usedPct === null ? '–' : percent(row.usedPct)}</td>
                <td class="number">
                  <b>{money(row.spent)}</b>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Rest hidden={state.topSpenders.slice(SPENDERS)} more={state.more.topSpenders} />
    </Panel>
  )
}
