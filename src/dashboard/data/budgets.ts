// Budgets of limits as lists of amounts, one for each period and unit, and the patches that change them. Pure.

type Unit = 'usd' | 'tokens' | 'requests'
type Given = number | string | Readonly<Partial<Record<Unit, number | string>>>

/** A budget as the API tells it. */
export type BudgetView = { readonly [period in 'daily' | 'weekly' | 'monthly' | 'total']?: Given } & { readonly rolling?: Readonly<Record<string, Given>> }

/** So much of a unit, in a period: `daily`, `rolling:5h`. */
export interface Amount {
  readonly period: string
  readonly unit: string
  readonly value: number
}

/** All amounts of a budget, in the order in which they are read. */
export function amountsIn(budget: BudgetView): Amount[] {
  const named = (['daily', 'weekly', 'monthly', 'total'] as const).map((period) => [period as string, budget[period]] as const)
  const rolling = Object.entries(budget.rolling ?? {}).map(([length, given]) => [`rolling:${length}`, given] as const)
  return [...named, ...rolling].flatMap(([period, given]) => (given === undefined ? [] : Object.entries(byUnit(given)).map(([unit, value]) => ({ period, unit, value: Number(value) }))))
}

/** One amount as a budget: `{ daily: 25 }`, `{ rolling: { '5h': { requests: 20 } } }`. */
export function budgetWith(amount: Amount): object {
  return nested(new Map([[amount.period, shape([amount])]]))
}

/**
 * The patch that puts one amount in the place of another: a period is given with all that it has then, and is `null` where nothing of it is left.
 * `before` absent: one more; `after` absent: one less.
 */
export function patchOf(budget: BudgetView, before: Amount | undefined, after: Amount | undefined): object {
  const standing = amountsIn(budget)
  const left = standing.filter((each) => before === undefined || !isSame(each, before)).filter((each) => after === undefined || !isSame(each, after))
  const next = after === undefined ? left : [...left, after]
  const touched = new Set([before, after].flatMap((each) => (each === undefined ? [] : [each.period])))
  return nested(new Map([...touched].map((period) => [period, shape(next.filter((each) => each.period === period))])))
}

function isSame(one: Amount, other: Amount): boolean {
  return one.period === other.period && one.unit === other.unit
}

function byUnit(given: Given): Readonly<Partial<Record<Unit, number | string>>> {
  return typeof given === 'object' ? given : { usd: given }
}

function shape(amounts: readonly Amount[]): Given | null {
  const [first] = amounts
  if (first === undefined) return null
  return amounts.length === 1 && first.unit === 'usd' ? first.value : Object.fromEntries(amounts.map(({ unit, value }) => [unit, value]))
}

function nested(periods: ReadonlyMap<string, Given | null>): object {
  const entries = [...periods]
  const rolling = entries.flatMap(([period, given]) => (period.startsWith('rolling:') ? [[period.slice('rolling:'.length), given] as const] : []))
  return { ...Object.fromEntries(entries.filter(([period]) => !period.startsWith('rolling:'))), ...(rolling.length > 0 && { rolling: Object.fromEntries(rolling) }) }
}
