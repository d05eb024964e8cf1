// `bursar usage`: entries of the ledger, page by page.

import type { Command } from 'commander'
import { InvalidRequestError } from '../../errors/index.js'
import { actionOf, pageOf, parseFilter, toJsonLines, type LedgerEntry } from '../../ledger/index.js'
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
  readonly json?: boolean | undefined
}

const DEFAULT_LIMIT = 100
const MOST = 10_000

/** Adds the command. */
export function addUsage(program: Command, act: Act): void {
  addFilters(program.command('usage').description('list entries of the ledger, oldest first'))
    .option('--limit <count>', `at most so many, up to ${showCount(MOST)}; "bursar export" gives all`, countArgument, DEFAULT_LIMIT)
    .option('--after <cursor>', 'go on behind a page: the cursor that was said at its end')
    .option('--json', 'as JSON lines: money as exact decimal strings')
    .action(act<UsageOptions, []>(usage))
}

async function usage(run: Run, options: UsageOptions): Promise<void> {
  const { limit, after, json } = options
  if (limit > MOST) throw new InvalidRequestError(`--limit: ${limit} is more than ${MOST}. Take page after page with --after, or all of them with "bursar export".`)
  const conditions = parseFilter(readFilter(options, run))
  const source = await openSource(await readConfiguration(run), run)
  const { entries, next } = await pageOf(source, conditions, limit, after)
  if (json === true) for await (const line of toJsonLines(each(entries))) await run.terminal.print(line)
  else if (entries.length > 0) await print(run, entries)
  if (entries.length === 0) run.terminal.say('No entries match.')
  if (next !== undefined) run.terminal.say(`There are more. Go on with --after '${next.replaceAll("'", `'\\''`)}', or take a larger --limit.`)
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
