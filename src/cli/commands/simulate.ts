// `bursar simulate`: what would have happened under other configurations, or which limit would be enough.

import type { Command } from 'commander'
import { existsSync } from 'node:fs'
import type { BursarConfig } from '../../config.js'
import { InvalidConfigError, InvalidRequestError } from '../../errors/index.js'
import { writeFile } from '../../ledger/index.js'
import { formatUsd } from '../../money/index.js'
import { findLimit, readLog, renderJson, renderPage, renderTable, sampleLog, simulate, type FoundLimit, type Simulation, type UsageLog } from '../../simulate/index.js'
import { countArgument, pairsArgument, type Act } from '../act.js'
import { showPct } from '../amounts.js'
import { closeUnused, readCandidate, readConfiguration, type Configuration } from '../configuration.js'
import { openSource } from '../engine.js'
import { EXIT } from '../failure.js'
import { pathToWrite } from '../out-file.js'
import { assertThere, openLedger, parsePlace } from '../places.js'
import type { Run } from '../run.js'
import {
  assertTogether,
  boundArgument,
  mapArgument,
  MAPPED,
  numberArgument,
  passedBy,
  percentArgument,
  readingOf,
  SAMPLE_REQUESTS,
  samplingOf,
  targetOf,
  weightsArgument,
  wholeArgument,
  type SimulateOptions,
} from '../simulation-options.js'

const TODAY = 'today'
const LIMITS = { low: '0.01', high: '100', step: '0.01' } as const

/** Adds the command. */
export function addSimulate(program: Command, act: Act): void {
  program
    .command('simulate')
    .description('what would have happened under other configurations')
    .argument('[log]', "a file (CSV, JSON lines, or what bursar has exported), or a ledger ('sqlite:./ledger.db', 'postgres://…'); by default that of the store")
    .option('--candidate <name=file>', 'a configuration to try; may be given again (default: the configuration, as "today")', pairsArgument)
    .option('--map <field=column,…>', "which column of a foreign log means what: time=TIMESTAMP,userId=user,inputTokens=ContextTokens; may be given again; see below", mapArgument)
    .option('--separator <character>', 'what stands between the cells of a CSV (default: a comma)')
    .option('--skip-bad-rows', 'leave out rows that cannot be read, and say how many')
    .option('--look-ahead <time>', 'how far rows may be out of order: 1h')
    .option('--max-output-tokens <count>', 'what a request may write, where the log does not say', wholeArgument)
    .option('--headroom <factor>', 'or how many times what it wrote (default: 2)', numberArgument)
    .option('--users <count>', "users drawn by Zipf's law, where the log names none", countArgument)
    .option('--zipf <exponent>', 'its exponent (default: 1)', numberArgument)
    .option('--tiers <tier:weight,…>', 'their tiers: free:0.9,pro:0.1', weightsArgument)
    .option('--models <model:weight,…>', 'the models of requests, where the log names none', weightsArgument)
    .option('--repeat <count>', 'the whole log so many times …', countArgument)
    .option('--over <time>', '… over so long: 30d')
    .option('--business-hours', '… begun between 9 and 17 from Monday to Friday')
    .option('--seed <number>', 'of whatever is drawn (default: 1)', wholeArgument)
    .option('--sample [requests]', `no log: one that is made, of ${SAMPLE_REQUESTS} requests; with --users, --days and --seed`, countArgument)
    .option('--days <count>', 'how many days a sample has (default: 7)', countArgument)
    .option('--directory-tiers', "tiers as the candidate's defaultTier says, and not as the log does")
    .option('--top-users <count>', 'how many affected users are named (default: 20)', wholeArgument)
    .option('--against-log', 'exit code 3 where anything comes out otherwise with the first candidate than in the log')
    .option('--fail-on <share>', 'exit code 3 where a candidate blocks more: blocked-users=1%, blocked-requests=1%; may be given again', boundArgument)
    .option('--find <path>', 'look for the smallest limit at this place of the configuration: tiers.free.daily')
    .option('--blocked-users <percent>', '… at which at most so many users are ever blocked', percentArgument)
    .option('--blocked-requests <percent>', '… at which at most so many requests are blocked', percentArgument)
    .option('--of-tier <tier>', '… of this tier')
    .option('--low <usd>', '… from there', LIMITS.low)
    .option('--high <usd>', '… up to there', LIMITS.high)
    .option('--step <usd>', '… in steps of', LIMITS.step)
    .option('--html <file>', 'a page with plots too')
    .option('--title <text>', 'its title')
    .option('--force', 'replace a page that is there')
    .option('--json', 'as JSON')
    .addHelpText('after', `\n--map: ${MAPPED}\nA request that a candidate rejects with an error counts as blocked and as another outcome than in the log.`)
    .action(act<SimulateOptions, [string | undefined]>(simulated))
}

async function simulated(run: Run, options: SimulateOptions, source: string | undefined): Promise<number> {
  assertTogether(options)
  if (options.sample !== undefined && source !== undefined) throw new InvalidRequestError('--sample: makes a log, and one is given. Give one of the two.')
  const page = options.html === undefined ? undefined : pathToWrite(options.html, '--html', options.force, run)
  if (options.find !== undefined) targetOf(options)
  const readsStore = options.sample === undefined && source === undefined
  const configuration = await readConfiguration(run, { opensStore: readsStore })
  if (!readsStore) closeUnused(configuration, run)
  const candidates = await candidatesOf(options, configuration, run)
  const log = await logOf(options, source, configuration, run)
  if (options.find !== undefined) return find(run, options, log, candidates)
  const simulation = await compare(run, options, log, candidates)
  await run.terminal.print(options.json === true ? `${renderJson(simulation).trimEnd()}\n` : renderTable(simulation))
  if (page !== undefined) {
    const html = await renderPage(simulation, options.title === undefined ? {} : { title: options.title })
    await writeFile(page, pieces(html))
    run.terminal.say(`The page was written to ${page}.`)
  }
  return verdictOf(simulation, options, run)
}

async function candidatesOf({ candidate = [], find: path }: SimulateOptions, { config, file }: Configuration, run: Run): Promise<Record<string, BursarConfig>> {
  const candidates: Record<string, BursarConfig> = {}
  for (const [name, candidateFile] of candidate) {
    if (Object.hasOwn(candidates, name) || name === 'log') throw new InvalidRequestError(`--candidate: ${JSON.stringify(name)} ${name === 'log' ? 'is what really happened' : 'is given twice'}. Choose another name.`)
    candidates[name] = await readCandidate(candidateFile, '--candidate', run)
  }
  if (candidate.length === 0) {
    if (file === undefined) throw new InvalidConfigError('--candidate: is missing, and there is no configuration in this folder. Give --candidate name=file, or --config.')
    candidates[TODAY] = config
  }
  if (path !== undefined && Object.keys(candidates).length > 1) throw new InvalidRequestError('--find: looks for a limit in one configuration, and several are given. Give one --candidate.')
  return candidates
}

async function logOf(options: SimulateOptions, source: string | undefined, configuration: Configuration, run: Run): Promise<UsageLog> {
  if (options.sample !== undefined) return sampleLog(samplingOf(options))
  // Times of others without a zone are in none of ours.
  const reading = readingOf(options, run.common.zone ?? 'UTC')
  if (source === undefined) return readLog(await openSource(configuration, run), { ...reading, name: 'the ledger' })
  if (/^(sqlite:|postgres(ql)?:\/\/|rediss?:\/\/)/.test(source)) {
    run.secrets.address(source)
    const place = parsePlace(source, 'log', 'ledger', run.io.cwd)
    assertThere(place, 'log', false)
    return readLog(await openLedger(place, run, 'log'), { ...reading, name: 'the ledger' })
  }
  const path = run.path(source, 'log')
  if (!existsSync(path)) throw new InvalidRequestError(`log: there is no file ${path}. Give a log, or --sample to make one.`)
  return readLog(path, reading)
}

async function compare(run: Run, options: SimulateOptions, log: UsageLog, candidates: Readonly<Record<string, BursarConfig>>): Promise<Simulation> {
  const progress = run.terminal.progress('requests')
  let done = 0
  const onProgress = ({ requests }: { readonly requests: number }): void => {
    progress.add(requests - done)
    done = requests
  }
  try {
    const { topUsers, directoryTiers } = options
    return await simulate({ log, candidates, timeZone: run.zone, onProgress, signal: run.io.signal, ...(topUsers !== undefined && { topUsers }), ...(directoryTiers === true && { tiers: 'directory' }) })
  } finally {
    progress.end()
  }
}

async function find(run: Run, options: SimulateOptions, log: UsageLog, candidates: Readonly<Record<string, BursarConfig>>): Promise<number> {
  const { terminal, zone, io } = run
  const { find: vary = '', low, high, step, directoryTiers, json } = options
  const progress = terminal.progress('limits tried')
  const config = Object.values(candidates)[0] as BursarConfig
  const found = await findLimit({ log, config, vary, target: targetOf(options), low, high, step, timeZone: zone, signal: io.signal, onProbe: () => progress.add(), ...(directoryTiers === true && { tiers: 'directory' }) }).finally(() => progress.end())
  const { exact, probes, isMonotone, message } = found
  if (json === true) await terminal.json({ limit: exact.limitMicrocents === undefined ? null : formatUsd(exact.limitMicrocents), isMonotone, message, probes: probes.map(probeJson) }, 2)
  else {
    await terminal.table(
      [{ head: vary, number: true }, { head: 'users blocked', number: true }, { head: 'requests blocked', number: true }, { head: 'spent', number: true }, { head: 'enough' }],
      probes.map((probe) => [`$${formatUsd(probe.exact.limitMicrocents)}`, showPct(probe.blockedUsersPct), showPct(probe.blockedRequestsPct), `$${probe.spent.toFixed(2)}`, probe.isEnough ? 'yes' : 'no']),
    )
    await terminal.print(`\n${message}\n`)
  }
  return exact.limitMicrocents === undefined ? EXIT.found : EXIT.done
}

function probeJson({ exact, blockedUsersPct, blockedRequestsPct, isEnough }: FoundLimit['probes'][number]): object {
  return { limit: formatUsd(exact.limitMicrocents), blockedUsersPct, blockedRequestsPct, isEnough }
}

function verdictOf({ candidates }: Simulation, { againstLog, failOn = [] }: SimulateOptions, { terminal }: Run): number {
  const [first] = candidates
  // A candidate under which nothing could be decided has not been tried.
  const broken = candidates.find(({ requests, failed }) => requests > 0 && failed === requests)
  if (broken !== undefined) {
    terminal.complain(`bursar: candidate ${broken.name}: every request was rejected: ${broken.errors[0]?.message ?? 'no reason was given'}`)
    return EXIT.failed
  }
  const passed = candidates.flatMap((candidate) => passedBy(candidate, failOn))
  for (const line of passed) terminal.complain(line)
  const found = passed.length > 0 ? EXIT.found : EXIT.done
  if (againstLog !== true || first === undefined) return found
  const { total, failures, first: some } = first.differences
  if (total === 0 && first.failed === 0) return found
  terminal.complain(`${first.name}: ${total} ${total === 1 ? 'thing' : 'things'} came out otherwise than in the log${failures === 0 ? '' : `, ${failures} of them failed with an error`}.`)
  for (const { row, userId, what, log, candidate } of some) terminal.complain(`  row ${row}, user ${userId}: ${what} ${log} in the log, ${candidate} here`)
  return EXIT.found
}

async function* pieces(text: string): AsyncIterable<string> {
  yield text
}
