// What a decision's own context comes to, worked out from the table of the design and from nothing of the engine: thresholds as
// fractions of exact integers, window by window, and the most severe word wins (EXPLAINED).

import type { EnforcementContext, WindowView } from '../../src/index.js'
import { below, type Rules, type Table } from './world.js'

/** The four answers in the order of severity. */
export const ACTIONS = ['ALLOW', 'WARN', 'DEGRADE', 'BLOCK'] as const
export type Action = (typeof ACTIONS)[number]

const STRICT: Table = { warn: 80, block: 100 }
const MAX = 2n ** 53n - 1n

/** The action that these rules give on a context; `requestedModel` is the model that the request named. */
export function explainedAction(context: EnforcementContext, rules: Rules, requestedModel: string | undefined): Action {
  const tier = context.userTier
  const said: Action[] = []
  for (const window of context.windows) {
    for (const table of judgesOf(window, rules, tier)) said.push(judge(window, table))
  }
  if (rules.refuses(tier, context.model)) said.push('BLOCK')
  // Only a ladder that can be walked makes a model a foreign one.
  const degradable = context.windows.some((window) => judgesOf(window, rules, tier).some((table) => table.degrade !== undefined))
  const foreign = rules.laddered && degradable && context.model !== undefined && !['large', 'medium', 'small'].includes(context.model)
  if (foreign && rules.blocksWithoutCheaper && said.includes('DEGRADE')) said.push('BLOCK')
  // A function speaks after the hold: its DEGRADE is only a word, and asks no ladder.
  said.push(...rules.functions.map((evaluate) => evaluate(context) as Action))
  if (context.model !== requestedModel) {
    if (!below(requestedModel ?? '').includes(context.model ?? '')) throw new Error(`${context.model} is not below ${requestedModel}`)
    said.push('DEGRADE')
  }
  return mostSevere(said)
}

/** The most severe of some actions; ALLOW where nothing was said. */
export function mostSevere(said: readonly Action[]): Action {
  return ACTIONS.findLast((action) => said.includes(action)) ?? 'ALLOW'
}

/** What thresholds say of one window. */
export function judge(window: WindowView, table: Table): Action {
  const reached = (percent: number | undefined): boolean => percent !== undefined && isReached(window, percent)
  return reached(table.block) ? 'BLOCK' : reached(table.degrade) ? 'DEGRADE' : reached(table.warn) ? 'WARN' : 'ALLOW'
}

/** True if spent + held + estimate reach that percentage of the limit; 100 means exceeded, and landing on the limit is not. */
export function isReached({ exact }: Pick<WindowView, 'exact'>, percent: number): boolean {
  if (exact.limit === null) return false
  const limit = BigInt(exact.limit)
  const used = BigInt(exact.spent) + BigInt(exact.held)
  const projected = used + BigInt(exact.estimate)
  if (limit === 0n) return true
  if (percent === 100) return used >= limit || projected > limit
  return projected * 10_000n >= limit * BigInt(Math.round(percent * 100))
}

/** True if a window would pass the largest exact integer: what no admission does, whatever the policies say. */
export function wouldSaturate({ exact }: Pick<WindowView, 'exact'>): boolean {
  const used = BigInt(exact.spent) + BigInt(exact.held)
  return used >= MAX || used + BigInt(exact.estimate) > MAX
}

function judgesOf(window: WindowView, rules: Rules, tier: string | undefined): readonly Table[] {
  if (window.limit === null) return []
  if (window.unit === 'requests' || window.limit === 0) return [STRICT]
  const tables = window.scope.kind === 'user' ? rules.own : rules.shared(window.scope)
  return tables.map((table) => table(tier))
}
