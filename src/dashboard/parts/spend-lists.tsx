// Who and what the month's money went to: by tenant, tier and model, and the users who have spent most.

import type { SpendRow, StateView } from '../../server/views.js'
import { count, money, percent } from '../data/figures.js'
import { Name, UserName } from './names.js'
import { Empty, Panel } from './panel.js'

const SHOWN = 8

/** What groups of one kind have spent this month. */
export function SpendList({ title, rows, none }: { readonly title: string; readonly rows: readonly SpendRow[]; readonly none: string }) {
  const most = Math.max(...rows.map(({ spent }) => spent), 1e-9)
  const rest = rows.slice(SHOWN)
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
                <span class="soft">{count(row.calls)} calls</span>
                <b>{money(row.spent)}</b>
              </span>
              <span class="spend-bar" aria-hidden="true">
                <i style={{ width: `${Math.max(0, (100 * row.spent) / most)}%` }} />
              </span>
            </li>
          ))}
        </ol>
      )}
      {rest.length > 0 && (
        <p class="soft more">
          and {money(rest.reduce((sum, { spent }) => sum + spent, 0))} of {count(rest.length)} more
        </p>
      )}
    </Panel>
  )
}

/** The users who have spent most this month. */
export function TopSpenders({ state }: { readonly state: StateView }) {
  const rows = state.topSpenders.slice(0, 10)
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
    </Panel>
  )
}
