// `bursar assign`: spend of nobody's, booked to a tenant later. Without --yes it says what would be.

import type { Command } from 'commander'
import { assertId } from '../../budget/index.js'
import { InvalidRequestError } from '../../errors/index.js'
import type { EntryFilter } from '../../ledger/index.js'
import { formatUsd } from '../../money/index.js'
import type { Assigned, AssignedSum } from '../../tracker/index.js'
import type { Act } from '../act.js'
import { show, showCount } from '../amounts.js'
import { assertLedgerThere } from '../completeness.js'
import { readConfiguration, type Configuration } from '../configuration.js'
import { openEngine } from '../engine.js'
import { addPeriod, addValues, readFilter, type FilterOptions } from '../filters.js'
import type { Run } from '../run.js'
import { visible } from '../visible.js'

interface AssignCommandOptions extends Omit<FilterOptions, 'tenant'> {
  readonly tenant: string
  readonly reason?: string | undefined
  readonly yes?: boolean | undefined
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

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
  const booked = await engine.tracker.ledger.assign(filter, { tenant, ...(reason !== undefined && { reason }), dryRun: yes !== true })
  if (json === true) return run.terminal.json({ tenant, done: yes === true, ...jsonOf(booked), byTenant: booked.byTenant.map((each) => ({ tenant: each.tenant, ...jsonOf(each) })) }, 2)
  await run.terminal.print(textOf(tenant, booked, yes === true))
}

/** The tenant that was asked for, and then those who get what corrects their decisions. */
function textOf(tenant: string, { byTenant }: Assigned, isDone: boolean): string {
  const line = (booked: AssignedSum | undefined, to: string, why: string): string => `${amountOf(booked)} ${isDone ? '' : 'would be '}booked to tenant "${visible(to)}"${why}.`
  const others = byTenant.filter((each) => each.tenant !== tenant)
  const asked = byTenant.find((each) => each.tenant === tenant)
  const lines = [line(asked, tenant, ''), ...others.map((each) => line(each, each.tenant, ', to whom what it corrects was booked before'))]
  return `${lines.join('\n')}${isDone ? '' : ' Add --yes to do it.'}\n`
}

function amountOf(booked: AssignedSum | undefined): string {
  const { assigned, exact } = booked ?? { assigned: 0, exact: { microcents: 0n, tokens: 0n } }
  return `${assigned === 1 ? '1 entry' : `${showCount(assigned)} entries`} of ${show(exact.microcents)} and ${showCount(exact.tokens)} tokens`
}

function jsonOf({ assigned, exact }: AssignedSum): object {
  return { entries: assigned, cost: formatUsd(exact.microcents), tokens: String(exact.tokens) }
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
