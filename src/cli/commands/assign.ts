// `bursar assign`: spend of nobody's, booked to a tenant later. Without --yes it says what would be.

import type { Command } from 'commander'
import { assertId } from '../../budget/index.js'
import { InvalidRequestError } from '../../errors/index.js'
import { ASSIGNED, parseFilter, sumsOf, type Conditions, type EntryFilter } from '../../ledger/index.js'
import { formatUsd } from '../../money/index.js'
import type { Act } from '../act.js'
import { show, showCount } from '../amounts.js'
import { assertLedgerThere } from '../completeness.js'
import { readConfiguration, type Configuration } from '../configuration.js'
import { openEngine } from '../engine.js'
import { addPeriod, addValues, readFilter, type FilterOptions } from '../filters.js'
import type { Run } from '../run.js'

interface AssignCommandOptions extends Omit<FilterOptions, 'tenant'> {
  readonly tenant: string
  readonly reason?: string | undefined
  readonly yes?: boolean | undefined
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/** What is booked, or would be. */
interface Booked {
  readonly entries: number
  readonly microcents: bigint
  readonly tokens: bigint
}

const MONEY_KINDS = ['settled', 'expired', 'recorded', 'corrected'] as const

/** Adds the command. */
export function addAssign(program: Command, act: Act): void {
  const command = addPeriod(program.command('assign').description('book spend without a tenant to one; windows and limits stay as they are').requiredOption('--tenant <tenant>', 'to whom it is booked'))
  addValues(command, ['user', 'tier', 'model', 'provider', 'session', 'team'])
    .option('--reason <text>', 'why: it stands in the metadata of the new entries')
    .option('--yes', 'yes, book it; without this, what would be booked is shown')
    .option('--force', 'also to a tenant that the configuration does not name')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nChoose entries by at least one of these options; --from 1970 chooses all. What was booked stays with whom it was booked to.')
    .action(act<AssignCommandOptions, []>(assign))
}

async function assign(run: Run, options: AssignCommandOptions): Promise<void> {
  const { tenant, reason, yes, json } = options
  assertId(tenant, '--tenant')
  if (reason === '') throw new InvalidRequestError('--reason: is empty. Say why, or leave it out.')
  filterOf(options, run)
  const configuration = await readConfiguration(run)
  const filter = filterOf(options, run)
  assertTenant(configuration, options)
  const { engine, store } = await openEngine(configuration, run)
  await assertLedgerThere(store)
  const booked = yes === true ? await book(engine.tracker.ledger.assign(filter, { tenant, ...(reason !== undefined && { reason }) })) : await lookedAt(store.ledger, filter)
  const { entries, microcents, tokens } = booked
  if (json === true) return run.terminal.json({ tenant, done: yes === true, entries, cost: formatUsd(microcents), tokens: String(tokens) }, 2)
  const amount = `${entries === 1 ? '1 entry' : `${showCount(entries)} entries`} of ${show(microcents)} and ${showCount(tokens)} tokens`
  await run.terminal.print(yes === true ? `${amount} booked to tenant "${tenant}".\n` : `${amount} would be booked to tenant "${tenant}". Add --yes to do it.\n`)
}

async function book(assigning: Promise<{ readonly assigned: number; readonly exact: Omit<Booked, 'entries'> }>): Promise<Booked> {
  const { assigned, exact } = await assigning
  return { entries: assigned, ...exact }
}

/** What was booked before is a pair: what was taken from nobody makes up for what nobody had. */
async function lookedAt(ledger: Parameters<typeof sumsOf>[0], filter: EntryFilter): Promise<Booked> {
  const { fields, bounds } = parseFilter(filter)
  const unassigned: Conditions = { fields: [...fields, { field: 'tenant', texts: [], orNone: true }, { field: 'kind', texts: MONEY_KINDS, orNone: false }], bounds }
  let [entries, microcents, tokens] = [0, 0n, 0n]
  for (const sum of await sumsOf(ledger, unassigned, ['reason'])) {
    entries += sum.texts[0] === ASSIGNED ? -sum.entries : sum.entries
    microcents += sum.microcents
    tokens += sum.tokens
  }
  return { entries, microcents, tokens }
}

/** Nothing chosen would book everything, for good. */
function filterOf(options: AssignCommandOptions, run: Run): EntryFilter {
  // To whom it is booked, and not whose it is.
  const filter = readFilter({ ...options, tenant: undefined }, run)
  if (filter.from === undefined && filter.until === undefined && Object.keys(filter.where ?? {}).length === 0) throw new InvalidRequestError('assign: chooses no entries. Give --from, --until, --user, --where metadata.project=… or another of its options; --from 1970 chooses all.')
  return filter
}

function assertTenant({ config: { scopes }, file }: Configuration, { tenant, force }: AssignCommandOptions): void {
  const known = Object.keys((scopes as Readonly<Record<string, object | undefined>> | undefined)?.['tenant'] ?? {})
  if (force === true || known.length === 0 || known.includes('*') || known.includes(tenant)) return
  throw new InvalidRequestError(`--tenant: ${JSON.stringify(tenant)} is no tenant of ${file ?? 'the configuration'}, which names ${known.join(', ')}. Give one of them, or add --force: what was booked stays booked.`)
}
