// One of several processes that make the calls of the demo. The process that started it says when to begin and, by leaving, when
// to stop.

import type { EnforcementAction } from 'bursar'
import { openBursar, type DemoBursar } from './budgets.js'
import { lineOf } from './complaint.js'
import type { News, Order } from './crew.js'
import { work, type Share } from './shift.js'
import { openStore } from './stores.js'

const stopping = new AbortController()
let bursar: DemoBursar | undefined
let share: Share | undefined
let running = Promise.resolve()

// Ctrl-C in a terminal reaches every process: the one that started this one decides.
process.on('SIGINT', () => {})
process.on('message', (order: Order) => {
  running = obey(order).catch((error: unknown) => tell({ kind: 'failed', message: lineOf(error) }))
})
process.once('disconnect', () => {
  stopping.abort()
  void running.then(() => bursar?.close()).finally(() => process.exit())
})

async function obey(order: Order): Promise<void> {
  if (order.kind === 'prepare') {
    share = order
    bursar = openBursar(await openStore(order.address))
    tell({ kind: 'ready' })
  } else {
    const onCall = (action: EnforcementAction): void => tell({ kind: 'called', action })
    const workplace = { bursar: bursar as DemoBursar, onCall, signal: stopping.signal }
    tell({ kind: 'done', report: await work(share as Share, workplace) })
  }
}

function tell(news: News): void {
  // Nobody may be left to hear it.
  process.send?.(news, undefined, undefined, () => {})
}
