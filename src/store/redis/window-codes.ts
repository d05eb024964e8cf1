// A window's identity in two numbers: its kind and unit, and the length of a rolling one.

import { UNITS, type Unit } from '../../money/index.js'

const PERIODS = ['daily', 'weekly', 'monthly', 'total'] as const
const ROLLING = 4

/** The least code of a rolling window. */
export const FIRST_ROLLING = 4 * ROLLING

/** `code` is 4 × kind + unit; from 16 on it is a rolling window's. */
export interface WindowCode {
  readonly code: number
  readonly lengthMs: number
}

const known = new Map<string, WindowCode>()

/** The code of a window such as `daily/usd` or `rolling:60000/requests`. Throws for any other name. */
export function codeOf(window: string): WindowCode {
  let code = known.get(window)
  if (code === undefined) {
    const [name = '', unitName] = window.split('/')
    const unit = UNIT_ORDER.indexOf(unitName as Unit)
    const length = /^rolling:(\d+)$/.exec(name)?.[1]
    const kind = length === undefined ? PERIODS.indexOf(name as (typeof PERIODS)[number]) : ROLLING
    if (unit < 0 || kind < 0) throw new TypeError(`window "${window}": is no window that a store counts. Use daily, weekly, monthly, total or rolling:<ms>, a slash, and usd, tokens or requests.`)
    code = { code: 4 * kind + unit, lengthMs: Number(length ?? 0) }
    if (known.size < 10_000) known.set(window, code)
  }
  return code
}

// Fixed by what is stored, not by how the units happen to be listed.
const UNIT_ORDER: readonly Unit[] = ['usd', 'tokens', 'requests']
if (UNIT_ORDER.length !== UNITS.length) throw new TypeError('a unit has no place in the codes of windows')

/** The window of a code. */
export function windowOfCode(code: number, lengthMs: number): { readonly window: string; readonly unit: Unit } {
  const unit = UNIT_ORDER[code % 4] as Unit
  const name = code >= FIRST_ROLLING ? `rolling:${lengthMs}` : PERIODS[code >> 2]
  return { window: `${name}/${unit}`, unit }
}
