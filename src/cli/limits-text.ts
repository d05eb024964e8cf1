// Limits as they are written on a command line: `daily=5`, `5h=0.50`, `daily/tokens=100000`, `weekly=none`.

import { describeIssues, overrideSchema, type AmountConfig, type WindowLimits } from '../budget/index.js'
import { InvalidRequestError } from '../errors/index.js'
import { UNITS, type Unit } from '../money/index.js'
import type { BudgetOverride } from '../tracker/index.js'

const NAMED = ['daily', 'weekly', 'monthly', 'total']
const LENGTH = /^\d+(?:\.\d+)?(?:ms|s|m|h|d|w)$/
const WINDOWS = "Use daily, weekly, monthly, total, or a trailing length such as '5h'; '/tokens' or '/requests' after it for another unit."

type Written = Record<string, { usd?: string; tokens?: number; requests?: number } | null>

/** Reads `window=amount` pairs. Throws `InvalidRequestError` for what is none. Undefined where there are none. */
export function readLimits(pairs: readonly (readonly [string, string])[], field = '--set'): WindowLimits | undefined {
  const override = readOverride(pairs, [], field)
  return override as WindowLimits | undefined
}

/** The same, with windows whose limits are taken away. */
export function readOverride(pairs: readonly (readonly [string, string])[], cleared: readonly string[], field = '--set'): BudgetOverride | undefined {
  if (pairs.length === 0 && cleared.length === 0) return undefined
  const named: Written = {}
  const rolling: Written = {}
  const seen = new Set<string>()
  for (const [window, text] of pairs) {
    const { period, unit, isLength } = readWindow(window, field)
    if (seen.has(`${period}/${unit}`) || (text === 'none' && Object.hasOwn(isLength ? rolling : named, period))) throw new InvalidRequestError(`${field}: ${window} is given twice. Give each window once.`)
    seen.add(`${period}/${unit}`)
    const amounts = ((isLength ? rolling : named)[period] ??= {}) as { usd?: string; tokens?: number; requests?: number }
    if (text === 'none') continue
    if (unit === 'usd') amounts.usd = text.replace(/^\$/, '')
    else amounts[unit] = readCount(text, `${field} ${window}`)
  }
  for (const window of cleared) {
    const { period, isLength } = readWindow(window, '--clear')
    if (window.includes('/')) throw new InvalidRequestError(`--clear: ${JSON.stringify(window)} names a unit, and a window is cleared in all of them. Give ${JSON.stringify(period)}.`)
    if (Object.hasOwn(isLength ? rolling : named, period)) throw new InvalidRequestError(`--clear: ${window} is set and cleared at once. Give one of them.`)
    ;(isLength ? rolling : named)[period] = null
  }
  const override = { ...named, ...(Object.keys(rolling).length > 0 && { rolling }) }
  const parsed = overrideSchema.safeParse(override)
  if (!parsed.success) throw new InvalidRequestError(describeIssues(parsed.error, field))
  return override as BudgetOverride
}

/** A budget's limits, one a line of a table: `daily/usd` and the amount as it was written. */
export function limitsText(limits: WindowLimits): readonly string[] {
  const { rolling = {}, daily, weekly, monthly, total } = limits
  const all = { daily, weekly, monthly, total, ...rolling } as Readonly<Record<string, AmountConfig | undefined>>
  return Object.entries(all).flatMap(([period, amount]) => {
    if (amount === undefined) return []
    if (typeof amount !== 'object') return [`$${amount} ${period}`]
    return UNITS.flatMap((unit) => (amount[unit] === undefined ? [] : [unit === 'usd' ? `$${amount[unit]} ${period}` : `${amount[unit]} ${unit} ${period}`]))
  })
}

function readWindow(window: string, field: string): { readonly period: string; readonly unit: Unit; readonly isLength: boolean } {
  const [name = '', unit = 'usd', ...more] = window.replace(/^rolling:/, '').split('/')
  const isLength = LENGTH.test(name)
  if (more.length > 0 || !(UNITS as readonly string[]).includes(unit) || !(isLength || NAMED.includes(name))) {
    throw new InvalidRequestError(`${field}: ${JSON.stringify(window)} is no window. ${WINDOWS}`)
  }
  return { period: name, unit: unit as Unit, isLength }
}

function readCount(text: string, field: string): number {
  if (!/^\d{1,16}$/.test(text)) throw new InvalidRequestError(`${field}: ${JSON.stringify(text)} is no count. Give a whole number, or none.`)
  return Number(text)
}
