// The whole of bursar at work: users of three plans call a model at the same time through the official OpenAI SDK, against a
// stand-in on this machine. In the end bursar and the stand-in must agree to the microcent.
// Run it: npm run demo. `npm run demo -- --miscount ben` makes the stand-in count wrongly, to see the check notice.

import { parseArgs } from 'node:util'
import OpenAI from 'openai'
import { audit } from './demo/audit.js'
import { openBursar } from './demo/budgets.js'
import { ask } from './demo/client.js'
import { head, Progress, sumOf, table, usd } from './demo/report.js'
import { startStandInProcess, type StandInProcess } from './demo/stand-in-process.js'
import { Peaks, Tally } from './demo/tally.js'
import { callsOf, USERS, type User } from './demo/traffic.js'

const { values } = parseArgs({ options: { miscount: { type: 'string' } } })
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))

const standIn = await startStandInProcess(values.miscount)
try {
  process.exitCode = await run(standIn)
} finally {
  await standIn.stop()
}

/** Sends the traffic, compares and reports. Gives the exit code: 0 if everything agrees. */
async function run({ pid, url, served }: StandInProcess): Promise<number> {
  const startedAt = performance.now()
  await using bursar = openBursar()
  const openai = new OpenAI({ baseURL: url, apiKey: 'demo', maxRetries: 0 })
  const tallies = new Map(USERS.map(({ id }) => [id, new Tally()]))
  const peaks = new Peaks()
  const alerts: string[] = []
  bursar.on('threshold', ({ alertId }) => alerts.push(alertId))

  const total = USERS.reduce((sum, { calls }) => sum + calls, 0)
  console.log(`bursar demo: ${USERS.length} users make ${total} calls to a stand-in for the OpenAI API (${url}, process ${pid})`)
  console.log(`\n${head()}\n`)
  const progress = new Progress(total)
  await Promise.all(USERS.map((user) => sendAll(user)))
  progress.end()

  const result = await audit({ bursar, users: USERS, tallies, peaks, bill: await served() })
  const { actions, failed, microcents } = sumOf(tallies.values())
  const admitted = actions.ALLOW + actions.WARN + actions.DEGRADE
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  console.log(`\n${table(result)}\n`)
  console.log('  failed: calls that the stand-in answered with 500')
  console.log('  peak: the most that was ever spent and held at once, in percent of the limit\n')
  const differences = [...result.differences]
  if (new Set(alerts).size !== alerts.length) differences.push('a threshold was announced twice')
  if (differences.length > 0) {
    console.log(differences.map((difference) => `  ${difference}`).join('\n'))
    console.log(`\nDIFFER: the counts do not agree, see the ${differences.length} lines above (${seconds} s)`)
    return 1
  }
  console.log(`  no limit that blocks was passed: at each of ${admitted} admissions, spent + held stayed within it`)
  console.log(`  no call cost more than was held for it: ${admitted - failed} calls were settled, none with an overage`)
  console.log(`  nothing is left held: the holds of ${failed} failed calls were released, the others settled`)
  console.log(`  ${alerts.length} thresholds were crossed, each announced once`)
  console.log(`\nagree: settlements, budgets, ledger and the stand-in counted the same $${usd(microcents)}, user by user (${seconds} s)`)
  return 0

  async function sendAll(user: User): Promise<void> {
    const tally = tallies.get(user.id) as Tally
    const waiting = callsOf(user).values()
    // Workers that share one iterator: each takes the next call as soon as its last one has ended.
    const worker = async (): Promise<void> => {
      for (const call of waiting) {
        await ask(user, call, { bursar, openai, tally, peaks })
        progress.show(tallies.values())
      }
    }
    await Promise.all(Array.from({ length: user.inFlight }, worker))
  }
}
