// `bursar limits`: budgets that are made, changed and removed at run time, and how full they are.

import { Option, type Command } from 'commander'
import { assertId, toUserRef, type UserArgument } from '../../budget/index.js'
import { UnknownLimitError } from '../../errors/index.js'
import type { Limit, LimitState } from '../../limits/index.js'
import { collected, pairsArgument, type Act } from '../act.js'
import { readConfiguration } from '../configuration.js'
import { openEngine, type Engine } from '../engine.js'
import { readNewLimit, readPatch, type LimitOptions } from '../limit-options.js'
import { limitJson, printLimit, printLimits, printWindows, windowJson } from '../limit-page.js'
import type { Run } from '../run.js'
import { addTenants } from './tenants.js'

interface Shown {
  readonly json?: boolean | undefined
}

interface ListOptions extends Shown {
  readonly kind?: string | undefined
  readonly id?: string | undefined
  readonly tenant?: string | undefined
  readonly mode?: 'block' | 'alert' | undefined
  readonly state?: LimitState | undefined
}

interface ShowOptions extends Shown {
  readonly member?: string | undefined
  readonly tenant?: string | undefined
}

const MODES = ['block', 'alert'] as const

/** Adds the command and those below it. */
export function addLimits(program: Command, act: Act): void {
  const limits = program.command('limits').description('budgets that are made and changed at run time')
  const mode = (): Option => new Option('--mode <mode>', 'block: a request must fit; alert: thresholds are announced, and nothing is refused').choices(MODES)
  limits
    .command('list', { isDefault: true })
    .description('the limits that are there')
    .option('--kind <kind>', 'only of this kind of scope')
    .option('--id <id>', 'only of the scope of this id')
    .option('--tenant <tenant>', 'only of the users of this tenant')
    .addOption(mode())
    .addOption(new Option('--state <state>', 'only in this state').choices(['upcoming', 'active', 'expired']))
    .option('--json', 'as JSON lines')
    .action(act<ListOptions, []>(list))
  limits
    .command('show')
    .description('one limit, and how full its windows are')
    .argument('<limit>', 'the id of the limit')
    .option('--member <id>', 'of a limit for each one apart: only this one')
    .option('--tenant <tenant>', "the member's tenant, where it is a user")
    .option('--json', 'as JSON')
    .action(act<ShowOptions, [string]>(showOne))
  const create = limits.command('create').description('make a limit').argument('<scope>', "global, tenant:acme, tier:free, user:ada, or a group's id such as team:search; team:* for each of them apart")
  withLimit(create, mode())
    .option('--id <id>', 'its id; by default a new one')
    .option('--tenant <tenant>', "the user's tenant")
    .action(act<LimitOptions & Shown, [string]>(createOne))
  const change = limits.command('change').description('change a limit: what is not given stays, and so does what was counted').argument('<limit>', 'the id of the limit')
  withLimit(change, mode())
    .option('--clear <window>', 'take a window away; may be given again', collected)
    .action(act<LimitOptions & Shown, [string]>(changeOne))
  limits.command('remove').description('take a limit away').argument('<limit>', 'the id of the limit').option('--json', 'as JSON').action(act<Shown, [string]>(removeOne))
  limits.command('triggered').description('what is at or over a threshold now: limits and shared budgets').option('--json', 'as JSON lines').action(act<Shown, []>(triggered))
  addTenants(limits, act)
}

function withLimit(command: Command, mode: Option): Command {
  return command
    .option('--set <window=amount>', 'daily=5, 5h=0.50, monthly/tokens=1000000; may be given again', pairsArgument)
    .option('--from <time>', 'it counts and blocks from then on')
    .option('--until <time>', 'up to then; "none": for good')
    .addOption(mode)
    .option('--thresholds <percents>', 'warn=80,degrade=90,block=100, or "none" for the usual ones')
    .option('--description <text>', 'for people: a denial shows it; "none" takes it away')
    .option('--json', 'as JSON')
}

async function engineFor(run: Run, mayCreate = false): Promise<Engine> {
  return (await openEngine(await readConfiguration(run), run, { mayCreate })).engine
}

async function list(run: Run, { json, kind, id, tenant, mode, state }: ListOptions): Promise<void> {
  const { tracker } = await engineFor(run)
  const limits = await tracker.limits.list({ kind, id, tenant, mode, state })
  if (json === true) for (const limit of limits) await run.terminal.json(limitJson(limit))
  else if (limits.length > 0) await printLimits(run, limits)
  if (limits.length === 0) run.terminal.say('No limits match. "bursar limits create" makes one.')
}

async function showOne(run: Run, { json, member, tenant }: ShowOptions, id: string): Promise<void> {
  assertId(id, 'limit')
  const who: UserArgument | undefined = member === undefined ? undefined : tenant === undefined ? member : toUserRef({ userId: member, tenant })
  const { tracker } = await engineFor(run)
  const limit = await tracker.limits.get(id)
  if (limit === undefined) throw new UnknownLimitError(id)
  const windows = await tracker.limits.progress(id, { member: who })
  if (json === true) return run.terminal.json({ ...limitJson(limit), windows: windows.map(windowJson) }, 2)
  await printLimit(run, limit)
  await run.terminal.print('\n')
  if (windows.length > 0) await printWindows(run, windows, [limit])
  else run.terminal.say('Nothing is spent or held in it.')
}

async function createOne(run: Run, { json, ...options }: LimitOptions & Shown, scope: string): Promise<void> {
  // What is wrong with it is said before anything is opened; the configuration may say in which zone times are meant.
  readNewLimit(scope, options, run)
  const configuration = await readConfiguration(run)
  const wanted = readNewLimit(scope, options, run)
  const { tracker } = (await openEngine(configuration, run, { mayCreate: true })).engine
  await made(run, await tracker.limits.create(wanted), json, 'was made')
}

async function changeOne(run: Run, { json, ...options }: LimitOptions & Shown, id: string): Promise<void> {
  assertId(id, 'limit')
  readPatch(options, run)
  const configuration = await readConfiguration(run)
  const patch = readPatch(options, run)
  const { tracker } = (await openEngine(configuration, run)).engine
  await made(run, await tracker.limits.change(id, patch), json, 'was changed')
}

async function made(run: Run, limit: Limit, json: boolean | undefined, what: string): Promise<void> {
  await (json === true ? run.terminal.json(limitJson(limit), 2) : printLimit(run, limit))
  run.terminal.say(`Limit "${limit.id}" ${what}: every process knows it within a second.`)
}

async function removeOne(run: Run, { json }: Shown, id: string): Promise<void> {
  assertId(id, 'limit')
  const { tracker } = await engineFor(run)
  await tracker.limits.remove(id)
  if (json === true) await run.terminal.json({ id, removed: true }, 2)
  run.terminal.say(`Limit "${id}" was removed.`)
}

async function triggered(run: Run, { json }: Shown): Promise<void> {
  const { tracker } = await engineFor(run)
  const found = await tracker.limits.triggered()
  if (json === true) for (const each of found) await run.terminal.json({ ...windowJson(each), thresholdPct: each.thresholdPct })
  else if (found.length > 0) await printWindows(run, found, await tracker.limits.list())
  if (found.length === 0) run.terminal.say('Nothing is at or over a threshold.')
}
