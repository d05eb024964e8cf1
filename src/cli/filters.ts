// Which entries a command is about: its options, read into a filter of the ledger.

import type { Command } from 'commander'
import { InvalidRequestError } from '../errors/index.js'
import { parseFilter, type EntryField, type EntryFilter } from '../ledger/index.js'
import { collected, pairsArgument } from './act.js'
import type { Run } from './run.js'
import { parseTime } from './times.js'

/** The options of {@link addFilters}. */
export interface FilterOptions {
  readonly from?: string | undefined
  readonly until?: string | undefined
  readonly user?: readonly string[] | undefined
  readonly tenant?: readonly string[] | undefined
  readonly tier?: readonly string[] | undefined
  readonly model?: readonly string[] | undefined
  readonly provider?: readonly string[] | undefined
  readonly session?: readonly string[] | undefined
  readonly team?: readonly string[] | undefined
  readonly kind?: readonly string[] | undefined
  readonly action?: readonly string[] | undefined
  readonly where?: readonly (readonly [string, string])[] | undefined
  readonly minCost?: string | undefined
  readonly maxCost?: string | undefined
}

const FIELDS = { user: 'userId', tenant: 'tenant', tier: 'tier', model: 'model', provider: 'provider', session: 'sessionId', team: 'scopes.team', kind: 'kind', action: 'action' } as const satisfies Readonly<Record<string, EntryField>>

/** Adds `--from` and `--until`. */
export function addPeriod(command: Command): Command {
  return command
    .option('--from <time>', "from then on: '2026-11-01', '2026-11', '2026-11-01T08:30', 'today', 'yesterday', or '7d' ago")
    .option('--until <time>', 'up to then; that moment itself is not in it')
}

/** Adds the options that choose entries by their period and their fields. */
export function addFields(command: Command): Command {
  return addValues(addPeriod(command), Object.keys(FIELDS))
}

/** Adds options that choose entries by some of their fields, and `--where`. */
export function addValues(command: Command, names: readonly string[]): Command {
  for (const name of names) command.option(`--${name} <${name}>`, `only of this ${name}; may be given again, for one of several`, collected)
  return command.option('--where <field=value>', "only with this value, such as metadata.project=search; 'tenant=' for entries without one; may be given again", pairsArgument)
}

/** Adds all options that choose entries. */
export function addFilters(command: Command): Command {
  return addFields(command)
    .option('--min-cost <usd>', 'only of this cost or more')
    .option('--max-cost <usd>', 'only of this cost or less')
}

/** A period as it was written. Throws `InvalidRequestError` for one that ends before it begins. */
export function readPeriod({ from, until }: Pick<FilterOptions, 'from' | 'until'>, run: Run): { readonly from?: number; readonly until?: number } {
  const start = from === undefined ? undefined : parseTime(from, '--from', run.zone, run.now)
  const end = until === undefined ? undefined : parseTime(until, '--until', run.zone, run.now)
  if (start !== undefined && end !== undefined && end <= start) throw new InvalidRequestError(`--until: ${JSON.stringify(until)} is not after --from ${JSON.stringify(from)}. Give a later time: it is not in the period itself.`)
  return { ...(start !== undefined && { from: start }), ...(end !== undefined && { until: end }) }
}

/** The filter. Throws `InvalidRequestError` or `InvalidAmountError` for what is none, before anything is opened. */
export function readFilter(options: FilterOptions, run: Run): EntryFilter {
  const { minCost, maxCost } = options
  const filter: EntryFilter = {
    ...readPeriod(options, run),
    where: readWhere(options),
    ...((minCost !== undefined || maxCost !== undefined) && { cost: { atLeast: minCost, atMost: maxCost } }),
  }
  parseFilter(filter)
  return filter
}

function readWhere(options: FilterOptions): NonNullable<EntryFilter['where']> {
  const where: Record<string, (string | null)[]> = {}
  const add = (field: string, value: string): void => void (where[field] ??= []).push(value === '' ? null : value)
  for (const [name, field] of Object.entries(FIELDS)) for (const value of options[name as keyof typeof FIELDS] ?? []) add(field, value)
  for (const [field, value] of options.where ?? []) add(field, value)
  return where
}
