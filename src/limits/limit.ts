// What a limit is that is made at run time: whom it covers, how much it allows, from when until when, and whether it blocks. Data and
// its shape; what has been counted in it a store knows.

import { z } from 'zod'
import { calendarOf, canonicalPeriod, describeIssues, idSchema, limitBudget, limitBudgetSchema, type CalendarConfig, type LimitBudget } from '../budget/index.js'
import { definePolicy, type Thresholds } from '../enforcement/index.js'
import { InvalidRequestError } from '../errors/index.js'
import { assertInstant } from '../time/index.js'

/**
 * Whom a limit covers: everything (`global`), a tenant, a tier's users together, one user, or an id of a configured group of `scopes`.
 * The id `'*'` gives each of them a limit apart; of users, with a `tenant`, each of that tenant.
 */
export interface LimitTarget {
  readonly kind: string
  readonly id?: string | undefined
  /** Of a user. */
  readonly tenant?: string | undefined
}

/** What `limits.create` takes. */
export interface NewLimit {
  /** Default: a new one. */
  readonly id?: string | undefined
  readonly scope: LimitTarget
  /** As a shared budget in the configuration, without `policies`. Its zone and anchors are, where it names none, the configuration's. */
  readonly budget: LimitBudget
  /** From when on it counts and blocks (inclusive), to the millisecond of store time. Default: from now on. */
  readonly from?: Date | number | null | undefined
  /** Until when (exclusive). Default: for good. */
  readonly until?: Date | number | null | undefined
  /** `block` (default): a request must fit. `alert`: nothing is refused; thresholds are announced, and decisions say WARN. */
  readonly mode?: 'block' | 'alert' | undefined
  /** Percentages. Default, also of `{}`: `{ warn: 80, block: 100 }`. A blocking limit always blocks: at 100 where `block` is left out. */
  readonly thresholds?: Thresholds | null | undefined
  /** For people: a denial shows it, with a dot for each control character. */
  readonly description?: string | null | undefined
}

/** What `limits.change` takes: what is left out stays, `null` takes it away (of the calendar: UTC, Mondays, the 1st). Periods of `budget` are changed one by one. */
export interface LimitPatch extends Pick<NewLimit, 'from' | 'until' | 'mode' | 'thresholds' | 'description'> {
  readonly budget?: { readonly [field in keyof LimitBudget]?: LimitBudget[field] | null } | undefined
}

/** A limit as it stands. */
export interface Limit {
  readonly id: string
  readonly scope: LimitTarget
  readonly budget: LimitBudget
  readonly from: Date | null
  readonly until: Date | null
  readonly mode: 'block' | 'alert'
  readonly thresholds: Thresholds | null
  readonly description: string | null
  readonly createdAt: Date
  /** By store time: one that is not `active` neither blocks nor counts. */
  readonly state: LimitState
  /** Changes with every change. */
  readonly version: number
}

/** Where a limit stands between its dates. */
export type LimitState = 'upcoming' | 'active' | 'expired'

/** A limit as it is written down: plain JSON, instants in ms since the epoch. */
export interface LimitRecord extends Pick<Limit, 'scope' | 'budget' | 'mode' | 'thresholds' | 'description'> {
  readonly from: number | null
  readonly until: number | null
  readonly createdAt: number
  /** Higher than that of any limit that was removed before it was made: counters of a removed one of its id are not its own. */
  readonly generation: number
  /** Its windows have turned at other instants before. */
  readonly moved?: true | undefined
}

/** Stands for each member of a kind apart. */
export const EACH = '*'

const instant = z.union([z.date(), z.number()]).transform((value, context) => {
  try {
    return assertInstant(value instanceof Date ? value.getTime() : value)
  } catch (error) {
    context.addIssue((error as Error).message)
    return z.NEVER
  }
})

const thresholds = z.strictObject({ warn: z.number().optional(), degrade: z.number().optional(), block: z.number().optional() })

const fields = {
  from: instant.nullable().optional(),
  until: instant.nullable().optional(),
  mode: z.enum(['block', 'alert']).optional(),
  thresholds: thresholds.nullable().optional(),
  description: z.string().min(1).max(1_000).nullable().optional(),
}

const newLimit = z.strictObject({
  id: idSchema.optional(),
  scope: z.strictObject({ kind: idSchema, id: idSchema.optional(), tenant: idSchema.optional() }),
  budget: limitBudgetSchema,
  ...fields,
})

const { shape } = limitBudgetSchema
const nullable = (name: keyof typeof shape): z.ZodType => shape[name].unwrap().nullable().optional()

const patchSchema = z.strictObject({
  budget: z
    .strictObject({
      daily: nullable('daily'),
      weekly: nullable('weekly'),
      monthly: nullable('monthly'),
      total: nullable('total'),
      rolling: z.record(z.string(), z.unknown()).nullable().optional(),
      timeZone: nullable('timeZone'),
      weekStartsOn: nullable('weekStartsOn'),
      monthStartsOn: nullable('monthStartsOn'),
    })
    .optional(),
  ...fields,
})

/** A limit that somebody wants, in its written form. Throws the errors of `limits.create` for what is none. */
export function recordOf(given: NewLimit, defaults: CalendarConfig, now: number): LimitRecord & { readonly id: string | undefined } {
  const { id, scope, budget, from = null, until = null, mode = 'block', thresholds: percents = null, description = null } = read(newLimit, given, 'limit')
  const calendars = plain(calendarOf(budget as LimitBudget, defaults))
  const record = { scope: plain(scope), budget: withShortLengths(plain({ ...(budget as LimitBudget), ...calendars })), from, until, mode, thresholds: givenThresholds(percents), description, createdAt: now, generation: 1 }
  checkRecord(record)
  return { id, ...record }
}

/** The same limit after a change. Throws the errors of `limits.change`; then nothing has changed. */
export function changedRecord(record: LimitRecord, given: LimitPatch): LimitRecord {
  const { budget, ...patch } = read(patchSchema, given, 'patch')
  const merged: LimitRecord = { ...record, ...plain(patch as Partial<LimitRecord>), budget: changedBudget(record.budget, budget as LimitPatch['budget']) }
  const next = { ...merged, thresholds: givenThresholds(merged.thresholds) }
  checkRecord(next)
  return movedFrom(record, next)
}

/** A record that follows another one, with whether its windows have turned at other instants before. */
export function movedFrom(before: LimitRecord, next: LimitRecord): LimitRecord {
  const turns = ({ timeZone, weekStartsOn, monthStartsOn }: LimitBudget): string => JSON.stringify([timeZone, weekStartsOn, monthStartsOn])
  return before.moved !== true && turns(before.budget) === turns(next.budget) ? next : { ...next, moved: true }
}

/** Throws `InvalidRequestError` for an end that is not to come: nobody wants a limit that never was, and seconds are no milliseconds. */
export function assertToCome({ until }: Pick<LimitRecord, 'until'>, now: number): void {
  if (until === null || until > now) return
  throw new InvalidRequestError(`until: ${new Date(until).toISOString()} is no instant to come. Give a Date, or milliseconds since the epoch.`)
}

/** A record as a limit at `now`, in store time. */
export function limitFrom(id: string, { scope, budget, from, until, mode, thresholds: percents, description, createdAt }: LimitRecord, version: number, now: number): Limit {
  const state = stateAt({ from, until }, now)
  return Object.freeze({ id, scope, budget, from: from === null ? null : new Date(from), until: until === null ? null : new Date(until), mode, thresholds: percents, description, createdAt: new Date(createdAt), state, version })
}

/** A record as `limits.create` takes it, in plain JSON. */
export function givenOf(id: string, { scope, budget, from, until, mode, thresholds: percents, description }: LimitRecord): Record<string, unknown> {
  const optional = Object.entries({ from, until, thresholds: percents, description }).filter(([, value]) => value !== null)
  return { id, scope, budget, mode, ...Object.fromEntries(optional) }
}

/** Where a limit stands at an instant: `from` is included, `until` is not. */
export function stateAt({ from, until }: Pick<LimitRecord, 'from' | 'until'>, now: number): LimitState {
  if (until !== null && now >= until) return 'expired'
  return from !== null && now < from ? 'upcoming' : 'active'
}

/** None at all are the same as none given: the defaults. */
function givenThresholds(percents: Thresholds | null): Thresholds | null {
  if (percents === null) return null
  const given = plain(percents)
  return Object.keys(given).length === 0 ? null : given
}

function checkRecord({ budget, from, until, thresholds: percents }: LimitRecord): void {
  const { windows } = limitBudget('new', budget, undefined, false)
  if (windows.length === 0) throw new InvalidRequestError("budget: limits nothing. Give an amount for a period, such as { daily: 10 } or { rolling: { '1m': { requests: 20 } } }.")
  if (from !== null && until !== null && from >= until) throw new InvalidRequestError(`until: ${new Date(until).toISOString()} is not after from, ${new Date(from).toISOString()}. Give a later one, or leave one of them out.`)
  if (percents !== null) definePolicy({ name: 'thresholds', thresholds: percents })
}

function changedBudget(budget: LimitBudget, patch: LimitPatch['budget']): LimitBudget {
  if (patch === undefined) return budget
  const { rolling, ...named } = patch
  const lengths = rolling === null ? {} : { ...budget.rolling, ...withShortLengths({ rolling: rolling as LimitBudget['rolling'] }).rolling }
  const merged = withoutNulls({ ...budget, ...named, rolling: withoutNulls(lengths) })
  return plain(read(limitBudgetSchema, merged, 'budget') as LimitBudget)
}

/** The same lengths under one name each, so that a change finds them: `1d` and `24h` are the same. */
function withShortLengths<Budget extends LimitBudget>(budget: Budget): Budget {
  if (budget.rolling === undefined) return budget
  const entries = Object.entries(budget.rolling)
  const rolling = Object.fromEntries(entries.map(([length, amount]) => [canonicalPeriod(`rolling:${length}`).slice('rolling:'.length), amount]))
  if (Object.keys(rolling).length < entries.length) throw new InvalidRequestError(`budget.rolling: ${entries.map(([length]) => `"${length}"`).join(', ')}: some of them are the same length. Keep one of them.`)
  return { ...budget, rolling }
}

function withoutNulls(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined))
}

function read<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new InvalidRequestError(describeIssues(parsed.error, what))
  return parsed.data
}

/** Without fields that are there and undefined: a record reads the same from every store. */
function plain<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}
