// The last decisions and charges of a user, each with its explanation to unfold.

import type { ActivityRow } from '../../server/seeing/views.js'
import { clockTime, counted, money } from '../data/figures.js'
import { Name } from './names.js'
import { ActionMark, Empty, Panel, Sign } from './panel.js'

/** The list. */
export function Activity({ rows, timeZone, now }: { readonly rows: readonly ActivityRow[]; readonly timeZone: string; readonly now: string }) {
  return (
    <Panel title="Last decisions" note="unfold one to see why">
      {rows.length === 0 ? (
        <Empty>Nothing was decided or charged for this user yet.</Empty>
      ) : (
        <ol class="activity">
          {rows.map((row, index) => (
            <li key={`${row.decisionId}-${row.kind}-${index}`}>
              {row.explanation === null ? (
                <div class="activity-line">
                  <Line row={row} timeZone={timeZone} now={now} />
                </div>
              ) : (
                <details>
                  <summary class="activity-line">
                    <Line row={row} timeZone={timeZone} now={now} />
                  </summary>
                  <pre class="explanation" tabindex={0} aria-label="Explanation">
                    {row.explanation}
                  </pre>
                  <p class="soft decision-id">
                    Decision <Name>{row.decisionId}</Name>
                  </p>
                </details>
              )}
            </li>
          ))}
        </ol>
      )}
    </Panel>
  )
}

function Line({ row, timeZone, now }: { readonly row: ActivityRow; readonly timeZone: string; readonly now: string }) {
  const isOther = row.model !== null && row.requestedModel !== null && row.model !== row.requestedModel
  return (
    <>
      <time dateTime={row.at}>{clockTime(row.at, timeZone, now)}</time>
      {row.action === null ? (
        <span class="mark mark-settled">
          <Sign name="settled" /> {row.kind}
        </span>
      ) : (
        <ActionMark action={row.action} />
      )}
      <span class="activity-what">
        {row.action !== null && <span class="soft">{row.kind}</span>} {row.model !== null && <Name>{row.model}</Name>}
        {isOther && (
          <span class="soft">
            {' '}
            instead of <Name>{row.requestedModel ?? ''}</Name>
          </span>
        )}
        {row.tokens > 0 && <span class="soft"> {counted(row.tokens, 'token')}</span>}
      </span>
      <b class="number">{money(row.cost)}</b>
    </>
  )
}
