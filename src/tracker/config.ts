// What a CostTracker is configured with, validated whole before anything is built.

import { z } from 'zod'
import { budgetConfigSchema, calendarFields, describeIssues, idSchema, scopeGroupsSchema, tierBudgetConfigSchema, type BudgetConfig, type CalendarConfig, type PlanConfig, type ScopeGroups, type TierBudgetConfig } from '../budget/index.js'
import type { Logger } from '../enforcement/index.js'
import { InvalidConfigError } from '../errors/index.js'
import type { Store } from '../store/index.js'
import type { Clock, Duration } from '../time/index.js'

/** The budgets of an application: what `CostTracker` and `Bursar` have in common. */
export interface BudgetsConfig<Tier extends string = string, Group extends string = string> extends CalendarConfig {
  /** Budgets by tier. */
  readonly tiers?: { readonly [tier in Tier]: TierBudgetConfig } | undefined
  /** The same under its other name. */
  readonly userBudgets?: { readonly [tier in Tier]: TierBudgetConfig } | undefined
  /** The tier of users for whom neither the request nor the directory names one. */
  readonly defaultTier?: NoInfer<Tier> | undefined
  /** What an unknown tier means: an error (default), or one of the tiers. */
  readonly onUnknownTier?: 'error' | NoInfer<Tier> | undefined
  /** One budget for everything. */
  readonly global?: BudgetConfig | undefined
  /** Shared budgets by kind and id. `tenant` and `tier` follow from who the user is; others are named by the request. */
  readonly scopes?: { readonly [group in Group]: group extends 'tier' ? { readonly [tier in NoInfer<Tier>]?: BudgetConfig } : Readonly<Record<string, BudgetConfig>> } | undefined
  /** Percentages of a limit to announce beside those of the policies that judge it. */
  readonly alertThresholds?: readonly number[] | undefined
  /** Default: a memory store. */
  readonly store?: Store | undefined
  /** How long an operation of a shared store is waited for; then it fails, and the store is away until it answers again. Default 1 second. */
  readonly storeTimeout?: Duration | undefined
  /** Milliseconds since the epoch; default: the system's. The default store runs on it too. */
  readonly clock?: Clock | undefined
  readonly logger?: Logger | undefined
}

const fn = <T>(what: string): z.ZodType<T> => z.custom<T>((value) => typeof value === 'function', `must be ${what}`)
const object = <T>(what: string): z.ZodType<T> => z.custom<T>((value) => typeof value === 'object' && value !== null, `must be ${what}`)
const percent = z.number().refine((value) => value > 0 && value <= 100 && Math.round(value * 100) / 100 === value, 'must be a percentage: a multiple of 0.01, above 0 and at most 100')
const budgetsByTier = z.record(idSchema, tierBudgetConfigSchema)

/** A duration that is read later, by `parseDuration`. */
export const durationSchema = z.custom<Duration>((value) => typeof value === 'string' || typeof value === 'number', "must be a duration such as '10m', or milliseconds")

const OPERATIONS = ['reserve', 'settle', 'release', 'extend', 'record', 'refund', 'read', 'restart', 'totals', 'users', 'close']
const DIRECTORY_OPERATIONS = ['get', 'change']
const REGISTRY_OPERATIONS = ['get', 'put', 'list']
const LEDGER_OPERATIONS = ['append', 'entries', 'totals']

/** What is asked of a store must be there: else each request would fail as if the store were away. */
function isStore(value: unknown): value is Store {
  return has(value, OPERATIONS) && has(value['directory'], DIRECTORY_OPERATIONS) && has(value['registry'], REGISTRY_OPERATIONS) && has(value['ledger'], LEDGER_OPERATIONS)
}

function has(value: unknown, operations: readonly string[]): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  return operations.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}

/** The fields of {@link BudgetsConfig}, to be spread into another object's schema. */
export const budgetsFields = {
  tiers: budgetsByTier.optional(),
  userBudgets: budgetsByTier.optional(),
  defaultTier: idSchema.optional(),
  onUnknownTier: idSchema.optional(),
  global: budgetConfigSchema.optional(),
  scopes: scopeGroupsSchema.optional(),
  alertThresholds: z.array(percent).optional(),
  store: z.custom<Store>(isStore, "must be a store: give redisStore({ client }), sqliteStore({ path }) or memoryStore(), and not a client, a URL or a promise").optional(),
  storeTimeout: durationSchema.optional(),
  clock: fn<Clock>('a function that gives milliseconds since the epoch').optional(),
  logger: object<Logger>('a logger with debug() and warn()').optional(),
  ...calendarFields,
}

const trackerConfig = z.strictObject(budgetsFields)

/** Throws `InvalidConfigError` with the path of what is wrong. */
export function checkTrackerConfig(config: unknown): void {
  checkConfig(trackerConfig, config)
}

/** Throws `InvalidConfigError` with the path of what a schema finds wrong. */
export function checkConfig(schema: z.ZodType, config: unknown): void {
  const parsed = schema.safeParse(config)
  if (!parsed.success) throw new InvalidConfigError(describeIssues(parsed.error, 'config'))
}

/** The part of a configuration that a plan is made of. */
export function planConfig(config: BudgetsConfig): PlanConfig {
  if (config.tiers !== undefined && config.userBudgets !== undefined) {
    throw new InvalidConfigError('config.userBudgets: is another name for tiers, and both are given. Keep one of them.')
  }
  const { defaultTier, onUnknownTier, global, timeZone, weekStartsOn, monthStartsOn } = config
  return {
    tiers: config.tiers ?? config.userBudgets ?? {},
    defaultTier,
    onUnknownTier: onUnknownTier === 'error' ? undefined : onUnknownTier,
    global,
    scopes: config.scopes as ScopeGroups | undefined,
    timeZone,
    weekStartsOn,
    monthStartsOn,
  }
}
