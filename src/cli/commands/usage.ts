// `bursar usage`: entries of the ledger, page by page.

import type { Command } from 'commander'
import { InvalidRequestError } from '../../errors/index.js'
import { actionOf, entriesOf, pageOf, parseFilter, sumsOf, toJsonLines, type Conditions, type EntryPage, type EntrySource, type LedgerEntry } from '../../ledger/index.js'
import { countArgument, type Act } from '../act.js'
import { show, showCount } from '../amounts.js'
import { readConfiguration } from '../configuration.js'
import { openSource } from '../engine.js'
import { addFilters, readFilter, type FilterOptions } from '../filters.js'
import type { Run } from '../run.js'
import { showTime } from '../times.js'

interface UsageOptions extends FilterOptions {
  readonly limit: number
  readonly after?: string | undefined
  readonly newest?: boolean | undefined
  readonly json?: boolean | undefined
}

const DEFAULT_LIMIT = 100
const MOST = 10_000
/** How far back the newest are looked for at first; then twice as far, and so on. */
const FIRST_STRETCH_MS = 3_600_000

/** Adds the command. */
export function addUsage(program: Command, act: Act): void {
  addFilters(program.command('usage').description('list entries of the ledger, oldest first (--newest: the other way round)'))
    .option('--limit <count>', `at most so many, up to ${showCount(MOST)}; "bursar export" gives all`, countArgument, DEFAULT_LIMIT)
    .option('--after <cursor>', 'go on behind a page: the cursor that was said at its end')
    .option('--newest', 'the last ones, newest first, by the time of the entry')
    .option('--json', 'as JSON lines: money as exact decimal strings')
    .action(act<UsageOptions, []>(usage))
}

async function usage(run: Run, options: UsageOptions): Promise<void> {
  const { limit, after, json } = options
  if (limit > MOST) throw new InvalidRequestError(`--limit: ${limit} is more than ${MOST}. Take page after page with --after, or all of them with "bursar export".`)
  if (options.newest === true && after !== undefined) throw new InvalidRequestError("--after: goes on behind a page, and --newest begins at the end. Give one of them; what came before is found with --until.")
  // What is wrong with it is said before anything is opened; the configuration may say in which zone times are meant.
  readFilter(options, run)
  const configuration = await readConfiguration(run, { opensStore: run.common.ledger === undefined })
  const conditions = parseFilter(readFilter(options, run))
  const source = await openSource(configuration, run)
  const { entries, next } = options.newest === true ? await newestOf(source, conditions, limit, run) : await pageOf(source, conditions, limit, after)
  if (json === true) for await (const line of toJsonLines(each(entries))) await run.terminal.print(withTimes(line))
  else if (entries.length > 0) await print(run, entries)
  if (entries.length === 0) run.terminal.say('No entries match.')
  if (next !== undefined) run.terminal.say(`There are more. Go on with --after '${next.replaceAll("'", `'\\''`)}', or take a larger --limit.`)
}

/** The last entries by their time, newest first: looked for in stretches that grow, so that a ledger that can sum is not read whole. */
async function newestOf(source: EntrySource, conditions: Conditions, limit: number, run: Run): Promise<EntryPage> {
  const end = Math.min(run.now + 1, ...conditions.bounds.filter(({ field }) => field === 'at').map(({ most }) => most + 1))
  const since = (length: number): Conditions => ({ ...conditions, bounds: [...conditions.bounds, { field: 'at', least: end - length, most: Infinity }] })
  let length = FIRST_STRETCH_MS
  if (source.sums === undefined) length = end
  for (; length < end; length *= 2) {
    const found = (await sumsOf(source, since(length), [])).reduce((sum, { entries }) => sum + entries, 0)
    if (found >= limit) break
  }
  let last: LedgerEntry[] = []
  for await (const entry of run.each(entriesOf(source, length < end ? since(length) : conditions))) {
    last.push(entry)
    if (last.length >= 2 * limit + MOST) last = newest(last, limit)
  }
  return { entries: newest(last, limit).reverse() }
}

/** In the order of time, and at one instant in that of writing. */
function newest(entries: readonly LedgerEntry[], count: number): LedgerEntry[] {
  return [...entries].sort((one, other) => one.at - other.at).slice(-count)
}

/** A line of JSON with all of its times in ISO 8601. */
function withTimes(line: string): string {
  const entry = JSON.parse(line) as { readonly charged?: readonly { readonly startsAt?: unknown }[] }
  const charged = entry.charged?.map((window) => (typeof window.startsAt === 'number' ? { ...window, startsAt: new Date(window.startsAt).toISOString() } : window))
  return `${JSON.stringify(charged === undefined ? entry : { ...entry, charged })}\n`
}

async function print({ terminal, zone }: Run, entries: readonly LedgerEntry[]): Promise<void> {
  await terminal.table(
    [{ head: `time (${zone})` }, { head: 'kind' }, { head: 'tenant' }, { head: 'user' }, { head: 'tier' }, { head: 'model' }, { head: 'action' }, { head: 'tokens', number: true }, { head: 'cost (USD)', number: true }, { head: 'decision' }],
    entries.map((entry) => {
      const { at, kind, tenant, userId, tier, model, requestedModel, tokens, microcents, decisionId, reason } = entry
      const answered = model === undefined || requestedModel === undefined || requestedModel === model ? (model ?? requestedModel) : `${model} (for ${requestedModel})`
      return [showTime(at, zone), kind, tenant, userId, tier, answered, kind === 'configured' ? reason : actionOf(entry), showCount(tokens), show(microcents), decisionId]
    }),
  )
}

async function* each<T>(things: readonly T[]): AsyncIterable<T> {
  yield* things
}
