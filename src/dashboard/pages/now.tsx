// The state now: what is spent, against what, by whom, who is refused, and what happens at this moment.

import type { StateView } from '../../server/seeing/views.js'
import type { LiveLog } from '../data/live-log.js'
import { ActionsPlot } from '../parts/actions-plot.js'
import { Headline } from '../parts/headline.js'
import { Incomplete } from '../parts/panel.js'
import { SpendList, TopSpenders } from '../parts/spend-lists.js'
import { Ticker } from '../parts/ticker.js'
import { Blocked, Budgets, Triggered } from '../parts/trouble.js'

/** The first page. */
export function Now({ state, log }: { readonly state: StateView; readonly log: LiveLog }) {
  const reader = { now: state.now, ownTenant: state.caller.tenant }
  const isNew = state.month.calls === 0 && state.month.denials === 0 && state.topSpenders.length === 0
  return (
    <>
      <h1 class="only-heard">The state now</h1>
      {!state.complete && <Incomplete of="this month" what="Calls, denials, groups, hours and the burn rate are too small; budgets and the money spent are counted apart." />}
      <Headline state={state} />
      {isNew && <FirstSteps />}
      <div class="board">
        <div class="half">
          <div class="column">
            <Budgets state={state} reader={reader} />
            <Triggered state={state} />
          </div>
          <div class="column">
            <Blocked state={state} />
            <TopSpenders state={state} />
          </div>
        </div>
        <div class="half">
          <div class="column">
            <ActionsPlot state={state} />
            <Ticker log={log} timeZone={state.timeZone} now={state.now} ownTenant={state.caller.tenant} />
          </div>
          <div class="column">
            {state.caller.isOperator && <SpendList title="By tenant" rows={state.byTenant} more={state.more.byTenant} none="no tenant" />}
            <SpendList title="By tier" rows={state.byTier} more={state.more.byTier} none="no tier" />
            <SpendList title="By model" rows={state.byModel} more={state.more.byModel} none="no model named" />
          </div>
        </div>
      </div>
    </>
  )
}

function FirstSteps() {
  const line = `curl ${location.origin}/v1/costs -H 'content-type: application/json' -d '{"userId":"ada","cost":0.25,"model":"gpt-5"}'`
  return (
    <section class="panel first-steps" aria-labelledby="first-steps">
      <h2 id="first-steps">Nothing has been spent yet</h2>
      <p>Record a first cost and watch it arrive here (a server with keys also wants -H 'authorization: Bearer …'):</p>
      <pre tabindex={0} aria-label="A first cost">
        <code>{line}</code>
      </pre>
      <p class="soft">
        The <a href="/docs">description of the API</a> has the rest.
      </p>
    </section>
  )
}
