// The whole of bursar at work: users of three plans call models at the same time through the OpenAI SDK, the Anthropic SDK and the AI
// SDK, against a stand-in on this machine. Prices are the price book's. In the end bursar and the stand-in must agree to the microcent.
// Run it: npm run demo. `npm run demo -- --store redis://127.0.0.1:6379` or `--store sqlite:./demo.db` keeps the budgets there,
// `--processes 4` lets several processes share them, `--keep` leaves the data. `--miscount ben` makes the stand-in count wrongly,
// to see the check notice.

import { readArguments, type DemoOptions } from './demo/arguments.js'
import { audit } from './demo/audit.js'
import { openBursar } from './demo/budgets.js'
import { complain, Complaint, isSuppressed } from './demo/complaint.js'
import { crewOf, crewOfOne } from './demo/crew.js'
import { conclusion, head, Progress, table } from './demo/report.js'
import { startStandInProcess } from './demo/stand-in-process.js'
import { makeDataSet, openStore } from './demo/stores.js'
import { Books } from './demo/tally.js'
import { USERS } from './demo/traffic.js'

const stopping = new AbortController()
for (const [signal, exitCode] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const) {
  // Whoever is impatient stops it at once by sending the signal again.
  process.once(signal, () => stopping.abort(new Complaint(`stopped by ${signal}`, exitCode)))
}
try {
  process.exitCode = await run(readArguments(process.argv.slice(2)), stopping.signal)
} catch (error) {
  // Ctrl-C reaches the stand-in as well: that calls failed then is no news.
  process.exitCode = complain(stopping.signal.aborted && !isSuppressed(error) ? stopping.signal.reason : error)
}

/** Sends the traffic, compares and reports. Gives the exit code: 0 if everything agrees. Whatever was started is stopped. */
async function run({ store, processes, keep, miscount }: DemoOptions, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  await using dataSet = await makeDataSet(store, keep)
  const { address, where } = dataSet
  await using bursar = openBursar(await openStore(address))
  // A store that cannot be used says so before anybody calls.
  await bursar.tracker.getSummary()
  await using standIn = await startStandInProcess(miscount)
  await using crew = processes === 1 ? crewOfOne(bursar, standIn.url) : await crewOf(processes, address, standIn.url)
  signal.throwIfAborted()

  const total = USERS.reduce((sum, { calls }) => sum + calls, 0)
  const counterpart = `a stand-in for OpenAI and Anthropic (${standIn.url}, process ${standIn.pid})`
  console.log(`bursar demo: ${USERS.length} users make ${total} calls through three SDKs to ${counterpart}`)
  console.log(`  budgets: ${where}\n  callers: ${crew.who}\n\n${head()}\n`)
  const progress = new Progress(total)
  const books = new Books()
  try {
    for (const report of await crew.work((action) => progress.count(action), signal)) books.add(report)
  } finally {
    progress.end()
  }

  const result = await audit({ bursar, books, bill: await standIn.served() })
  console.log(`\n${table(result)}\n`)
  console.log(conclusion(result, (performance.now() - startedAt) / 1_000))
  return result.differences.length === 0 ? 0 : 1
}
