// What is set for one user instead of what the tier says.

import type { UserView } from '../../server/views.js'
import { ask, query } from '../data/ask.js'
import { amount, moment } from '../data/figures.js'
import { Remover } from './form.js'
import { periodText } from './names.js'
import { Empty, Panel } from './panel.js'

/** The overrides in force. */
export function UserOverrides({ view, isAdmin, timeZone, changed }: { readonly view: UserView; readonly isAdmin: boolean; readonly timeZone: string; readonly changed: () => Promise<void> }) {
  const { overrides, userId, tenant } = view
  const clear = async (period: string): Promise<void> => {
    await ask(`/v1/users/${encodeURIComponent(userId)}/budget${query({ period, tenant })}`, { method: 'DELETE' })
    await changed()
  }
  return (
    <Panel title="Overrides">
      {overrides.length === 0 ? (
        <Empty>What the tier allows holds. Nothing is set for this user alone.</Empty>
      ) : (
        <ul class="rows">
          {overrides.map(({ period, unit, limit, until }) => (
            <li key={`${period} ${unit}`}>
              <span>
                <span class="chip">{periodText(period)}</span> <b>{limit === null ? 'no limit' : amount(limit, unit)}</b> <span class="soft">{until === null ? 'for good' : `until ${moment(until, timeZone)}`}</span>
              </span>
              {isAdmin && <Remover what={`the ${periodText(period)} override`} label="Clear" remove={() => clear(period)} />}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}
