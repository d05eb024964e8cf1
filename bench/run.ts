// `npm run bench`: measures bursar beside the bare reference and its peers, and prints one table. Nothing here passes or fails.
//   --quick          a short run, without memory        --json            also writes .bench/results.json
//   --dist <dir>     the build to measure               --against <dir>   another build in the same rounds
//   --only <text>    contestants whose name has it (the two references always run)

import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { bareContestant, bursarContestant, bursarReadContestant, llmBudgetContestant, rateLimiterContestant, spendGuardContestant, strideOver } from './contestants.js'
import { DEFAULT_BUILD, loadPackage, ROOT } from './package-under-test.js'
import { measureSpeed, median, ratio, type Run } from './speed.js'
import { printTable } from './table.js'

const USERS = 100_000
const { values: options } = parseArgs({
  options: { quick: { type: 'boolean' }, json: { type: 'boolean' }, dist: { type: 'string', default: DEFAULT_BUILD }, against: { type: 'string' }, only: { type: 'string' } },
})
const quick = options.quick === true
const machine = `node ${process.version}, ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), load ${loadavg()[0]?.toFixed(1)} at the start`
console.log(`${machine}\n${USERS.toLocaleString('en')} users, three windows, one request at a time, all in one process${quick ? ', quick' : ''}`)

const ids = Array.from({ length: USERS }, (_, index) => `user_${index}`)
const underTest = await loadPackage(options.dist)
const bare = bareContestant(strideOver(ids))
const union = rateLimiterContestant(strideOver(ids), false)
const others = [
  rateLimiterContestant(strideOver(ids), true),
  spendGuardContestant(strideOver(ids), false),
  spendGuardContestant(strideOver(ids), true),
  llmBudgetContestant(strideOver(ids)),
]
const bursars = [bursarContestant('bursar', underTest, strideOver(ids)), bursarReadContestant('bursar, decision read whole', underTest, strideOver(ids))]
if (options.against !== undefined) {
  const against = await loadPackage(options.against)
  bursars.push(bursarContestant('bursar (against)', against, strideOver(ids)), bursarReadContestant('bursar (against), decision read whole', against, strideOver(ids)))
}
const wanted = [...bursars, bare, union, ...others].filter((contestant) => contestant === bare || contestant === union || contestant.name.includes(options.only ?? ''))

const pace = quick ? { rounds: 5, roundMs: 150, warmUpOperations: USERS } : { rounds: 9, roundMs: 400, warmUpOperations: 2 * USERS }
const runs = await measureSpeed(wanted, pace)
const toBare = runs.find((run) => run.contestant === bare) as Run
const toUnion = runs.find((run) => run.contestant === union) as Run

const heap = quick ? undefined : await measureHeap()
const HEAP_NAMES: Readonly<Record<string, string>> = { bursar: 'bursar-users', 'bare reference': 'bare' }
const results = runs.map((run) => {
  const { name, operation } = run.contestant
  const bytes = heap?.get(HEAP_NAMES[name] ?? name)
  return {
    name,
    operation,
    operationsPerRound: run.operationsPerRound,
    operationsPerSecond: { median: median(run.operationsPerSecond), lowest: Math.min(...run.operationsPerSecond), highest: Math.max(...run.operationsPerSecond) },
    ratioToBare: ratio(run, toBare),
    ratioToUnion: ratio(run, toUnion),
    heapBytesPerUser: bytes === undefined ? undefined : bytes / USERS,
  }
})
const boundedBytes = heap === undefined ? undefined : (heap.get('bursar-default') as number) - (heap.get('bursar-users') as number)

printTable(
  ['', 'one operation', 'thousand ops/s', 'lowest to highest', '× bare', '× union', 'bytes a user'],
  results.map(({ name, operation, operationsPerSecond: { median: middle, lowest, highest }, ratioToBare, ratioToUnion, heapBytesPerUser }) => [
    name,
    operation,
    thousands(middle),
    `${thousands(lowest)} to ${thousands(highest)}`,
    ratioToBare.toFixed(3),
    ratioToUnion.toFixed(2),
    heapBytesPerUser === undefined ? '' : heapBytesPerUser.toFixed(0),
  ]),
)
console.log(`medians of ${pace.rounds} interleaved rounds; ratios are medians of the ratios within a round; load ${loadavg()[0]?.toFixed(1)} at the end`)
for (const run of runs) {
  const { name } = run.contestant
  const counterpart = runs.find((other) => other.contestant.name === name.replace('bursar', 'bursar (against)'))
  if (counterpart !== undefined && counterpart !== run) console.log(`${name}: ${ratio(run, counterpart).toFixed(3)} × the build measured against`)
}
if (boundedBytes !== undefined) console.log(`besides, bursar's bounded ledger and remembered ids take ${(boundedBytes / 1e6).toFixed(1)} MB when full, however many users there are`)

if (options.json === true) {
  const path = join(ROOT, '.bench', 'results.json')
  await mkdir(join(ROOT, '.bench'), { recursive: true })
  await writeFile(path, `${JSON.stringify({ at: new Date().toISOString(), machine, users: USERS, quick, ...pace, contestants: results, bursarBoundedBytes: boundedBytes }, undefined, 2)}\n`)
  console.log(`wrote ${path}`)
}
// rate-limiter-flexible's timers would be no reason to stay.
process.exit(0)

async function measureHeap(): Promise<Map<string, number>> {
  const bytesByName = new Map<string, number>()
  for (const name of ['bursar-users', 'bursar-default', 'bare', 'rate-limiter-flexible', 'llm-spend-guard', 'llm-budget']) {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--import', 'tsx', join(ROOT, 'bench', 'heap.ts'), name, String(USERS), options.dist], { cwd: ROOT })
    bytesByName.set(name, (JSON.parse(stdout) as { bytes: number }).bytes)
  }
  return bytesByName
}

function thousands(perSecond: number): string {
  return (perSecond / 1_000).toFixed(1)
}
