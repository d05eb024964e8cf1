// `bursar budget USER`: a user's windows and those that they share, and changes to the user's tier and limits.

import type { Command } from 'commander'
import { assertId, toUserRef, type UserRef } from '../../budget/index.js'
import { InvalidRequestError, UnknownTierError } from '../../errors/index.js'
import type { BudgetOverride } from '../../tracker/index.js'
import { collected, pairsArgument, type Act } from '../act.js'
import { budgetOf } from '../budget-view.js'
import { LACKS_ENTRIES, lacksEntries } from '../completeness.js'
import { readConfiguration } from '../configuration.js'
import { openEngine, type Engine } from '../engine.js'
import { EXIT } from '../failure.js'
import { readOverride } from '../limits-text.js'
import type { Run } from '../run.js'
import { parseTime } from '../times.js'
import { printBudget } from '../budget-page.js'

interface BudgetOptions {
  readonly tenant?: string | undefined
  readonly tier?: string | undefined
  readonly json?: boolean | undefined
  readonly set?: readonly (readonly [string, string])[] | undefined
  readonly clear?: readonly string[] | undefined
  readonly until?: string | undefined
  readonly setTier?: string | undefined
  readonly clearTier?: boolean | undefined
  readonly restart?: boolean | undefined
  readonly yes?: boolean | undefined
}

/** What the options ask to be changed, checked as far as it can be without a store. */
interface Changes {
  readonly override?: BudgetOverride | undefined
  readonly until?: number | undefined
  readonly tier?: string | null | undefined
  readonly restart: boolean
}

/** How many users are looked at for others of the same id, and how many of these are named. */
const MOST_LOOKED_AT = 100_000
const MOST_OTHERS = 5

/** Adds the command. */
export function addBudget(program: Command, act: Act): void {
  program
    .command('budget')
    .description("show a user's budget, or change it")
    .argument('<user>', 'the id of the user (after -- where it begins with a dash)')
    .option('--tenant <tenant>', "the user's tenant")
    .option('--tier <tier>', 'as if the user were of this tier')
    .option('--json', 'as JSON: money as exact decimal strings')
    .option('--set <window=amount>', "a limit of the user's own: daily=5, 5h=0.50, daily/tokens=100000, weekly=none; may be given again", pairsArgument)
    .option('--until <time>', 'what --set gives ends then')
    .option('--clear <window>', "take the user's own limits of a window away; may be given again", collected)
    .option('--set-tier <tier>', 'write the tier into the directory')
    .option('--clear-tier', 'take the tier out of the directory')
    .option('--restart', 'begin the daily, weekly and monthly windows anew: what was spent in them counts no more')
    .option('--yes', 'yes, --restart is meant')
    .action(act<BudgetOptions, [string]>(budget))
}

async function budget(run: Run, options: BudgetOptions, userId: string): Promise<number> {
  const user = toUserRef(options.tenant === undefined ? userId : { userId, tenant: options.tenant })
  if (options.tier !== undefined) assertId(options.tier, '--tier')
  // What is wrong with it is said before anything is opened; the configuration may say in which zone times are meant.
  changesOf(options, run)
  const configuration = await readConfiguration(run)
  const changes = changesOf(options, run)
  const changesAnything = changes.override !== undefined || changes.tier !== undefined || changes.restart
  const { engine, store } = await openEngine(configuration, run, { mayCreate: changesAnything })
  assertTier(engine, options.tier)
  assertTier(engine, changes.tier ?? undefined)
  if (changesAnything) await change(engine, user, changes, run)
  const entry = await store.directory.get(user)
  const tellsAll = !(await lacksEntries(store))
  const view = await budgetOf(engine, user, { asTier: options.tier, entry, defaultTier: configuration.config.defaultTier, forecasts: tellsAll })
  if (view.totalEntries === 0 && entry === undefined && view.windows.every(({ scope, exact }) => scope.kind !== 'user' || exact.held === 0)) run.terminal.say(`Nothing was ever counted for ${nameOf(user)}, and the directory does not know that user.${await othersOf(engine, user)}`)
  await (options.json === true ? run.terminal.json(view.json, 2) : printBudget(view, run))
  if (tellsAll) return EXIT.done
  run.terminal.complain(`bursar: no forecast: ${LACKS_ENTRIES}`)
  return changesAnything ? EXIT.done : EXIT.failed
}

/** A user is a tenant's: who asks without the tenant, or with another, asks for somebody else. */
async function othersOf({ tracker }: Engine, { userId, tenant }: UserRef): Promise<string> {
  const found: string[] = []
  let looked = 0
  for await (const other of tracker.users()) {
    if (other.userId === userId && other.tenant !== tenant) found.push(other.tenant === undefined ? 'without a tenant' : `of tenant "${other.tenant}"`)
    if (found.length >= MOST_OTHERS || (looked += 1) >= MOST_LOOKED_AT) break
  }
  return found.length === 0 ? '' : ` There is a user of that id ${found.join(' and ')}: see --tenant.`
}

function changesOf(options: BudgetOptions, run: Run): Changes {
  const { set, clear, until, setTier, clearTier, restart, yes } = options
  if (until !== undefined && set === undefined) throw new InvalidRequestError('--until: says when what --set gives ends, and there is no --set. Give both, or neither.')
  if (setTier !== undefined && clearTier === true) throw new InvalidRequestError('--set-tier: and --clear-tier are both given. Give one of them.')
  if (restart === true && yes !== true) throw new InvalidRequestError('--restart: makes what was spent in the running windows count no more. Add --yes if that is meant.')
  const override = readOverride(set ?? [], clear ?? [])
  const end = until === undefined ? undefined : parseTime(until, '--until', run.zone, run.now)
  if (end !== undefined && end <= run.now) throw new InvalidRequestError(`--until: ${JSON.stringify(until)} has passed. Give a time that is to come.`)
  return { override, until: end, tier: clearTier === true ? null : setTier, restart: restart === true }
}

/** Limits first: they alone can still be refused. */
async function change({ tracker }: Engine, user: UserRef, { override, until, tier, restart }: Changes, { terminal, now }: Run): Promise<void> {
  if (override !== undefined) {
    await tracker.updateUserBudget(user, override, until === undefined ? {} : { until })
    terminal.say(`The limits of ${nameOf(user)} were changed.`)
  }
  if (tier !== undefined) {
    await tracker.setUserTier(user, tier)
    terminal.say(tier === null ? `${nameOf(user)} has no tier in the directory any more.` : `${nameOf(user)} is of tier "${tier}" now.`)
  }
  if (restart) terminal.say(`${await tracker.restartWindows(user, { since: now })} windows of ${nameOf(user)} began anew.`)
}

function assertTier({ tracker }: Engine, tier: string | undefined): void {
  if (tier === undefined || tracker.tiers.includes(tier)) return
  throw new UnknownTierError(`tier: "${tier}" is no tier of the configuration. ${tracker.tiers.length === 0 ? 'It has none: give the configuration with --config.' : `The tiers are ${tracker.tiers.join(', ')}.`}`, tier)
}

function nameOf({ userId, tenant }: UserRef): string {
  return tenant === undefined ? `user "${userId}"` : `user "${userId}" of tenant "${tenant}"`
}

