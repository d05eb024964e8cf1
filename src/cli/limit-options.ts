// Limits and tenants as options of a command line, read into what the engine takes.

import { InvalidRequestError } from '../errors/index.js'
import type { Thresholds } from '../enforcement/index.js'
import type { LimitPatch, LimitTarget, NewLimit } from '../limits/index.js'
import { readLimits, readOverride } from './limits-text.js'
import type { Run } from './run.js'
import { parseTime } from './times.js'

/** What `limits create` and `limits change` have in common. */
export interface LimitOptions {
  readonly set?: readonly (readonly [string, string])[] | undefined
  readonly clear?: readonly string[] | undefined
  readonly from?: string | undefined
  readonly until?: string | undefined
  readonly mode?: 'block' | 'alert' | undefined
  readonly thresholds?: string | undefined
  readonly description?: string | undefined
}

const THRESHOLDS = ['warn', 'degrade', 'block']

/** `global`, `tenant:acme`, `user:ada`, `team:*`: whom a limit covers. Throws `InvalidRequestError` for what is none. */
export function readTarget(text: string, tenant: string | undefined): LimitTarget {
  const at = text.indexOf(':')
  const kind = at < 0 ? text : text.slice(0, at)
  const id = at < 0 ? undefined : text.slice(at + 1)
  if (kind === '' || id === '' || (id === undefined && kind !== 'global')) {
    throw new InvalidRequestError(`scope: ${JSON.stringify(text)} is no scope. Give global, tenant:acme, tier:free, user:ada, or a group of the configuration such as team:search; '*' in place of the id gives each of them a limit of its own.`)
  }
  return { kind, ...(id !== undefined && { id }), ...(tenant !== undefined && { tenant }) }
}

/** A limit to be made. */
export function readNewLimit(scope: string, { id, tenant, ...options }: LimitOptions & { readonly id?: string | undefined; readonly tenant?: string | undefined }, run: Run): NewLimit {
  const budget = readLimits(options.set ?? [])
  if (budget === undefined) throw new InvalidRequestError('--set: is missing. Say what the limit allows: --set daily=5, --set monthly/tokens=1000000.')
  return { ...(id !== undefined && { id }), scope: readTarget(scope, tenant), budget: budget as NewLimit['budget'], ...readCommon(options, run) }
}

/** A change. Throws `InvalidRequestError` for one that changes nothing. */
export function readPatch(options: LimitOptions, run: Run): LimitPatch {
  const budget = readOverride(options.set ?? [], options.clear ?? [])
  const patch = { ...(budget !== undefined && { budget: budget as NonNullable<LimitPatch['budget']> }), ...readCommon(options, run) }
  if (Object.keys(patch).length === 0) throw new InvalidRequestError('limits change: changes nothing. Give --set, --clear, --from, --until, --mode, --thresholds or --description.')
  return patch
}

function readCommon({ from, until, mode, thresholds, description }: LimitOptions, run: Run): Pick<NewLimit, 'from' | 'until' | 'mode' | 'thresholds' | 'description'> {
  const time = (text: string, field: string): number | null => (text === 'none' ? null : parseTime(text, field, run.zone, run.now))
  return {
    ...(from !== undefined && { from: time(from, '--from') }),
    ...(until !== undefined && { until: time(until, '--until') }),
    ...(mode !== undefined && { mode }),
    ...(thresholds !== undefined && { thresholds: readThresholds(thresholds) }),
    ...(description !== undefined && { description: description === 'none' ? null : description }),
  }
}

function readThresholds(text: string): Thresholds | null {
  if (text === 'none') return null
  const pairs = text.split(',').map((part) => {
    const [, name = '', percent = ''] = /^\s*(\w+)=(\d{1,3}(?:\.\d{1,2})?)%?\s*$/.exec(part) ?? []
    if (!THRESHOLDS.includes(name)) throw new InvalidRequestError(`--thresholds: ${JSON.stringify(part)} is no threshold. Write warn=80,degrade=90,block=100, or none.`)
    return [name, Number(percent)] as const
  })
  return Object.fromEntries(pairs)
}
