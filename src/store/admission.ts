// The admission rule of DESIGN 3.2, pure: which rung a request gets, if any. Every store follows it to the integer.

import { hits } from '../enforcement/index.js'
import { amountIn, type Amounts } from '../money/index.js'
import { READING_SIZE, type ReserveRequest, type ScopeTerms, type WindowTerms } from './contract.js'

/** The rung that is admitted, or −1; and whether rung 0 hit a degrade threshold. */
export interface Admission {
  readonly rung: number
  readonly degrade: boolean
}

/**
 * Decides a request against the readings of its windows (in the request's order, {@link READING_SIZE} numbers each), taken after
 * all holds due by now have ended.
 */
export function admit(request: ReserveRequest, readings: readonly number[]): Admission {
  const { rungs, refusedRungs } = request
  const first = hitsOf(request, readings, rungs[0] as Amounts)
  const degrade = request.degrade === true || (first & DEGRADES) !== 0
  const blocked = refusedRungs?.[0] === true || (degrade && request.degradeBlocks === true) || (first & BLOCKS) !== 0
  if (!blocked && !degrade) return PLAINLY
  for (let rung = 1; rung < rungs.length; rung += 1) {
    if (refusedRungs?.[rung] !== true && (hitsOf(request, readings, rungs[rung] as Amounts) & BLOCKS) === 0) return { rung, degrade }
  }
  return { rung: blocked ? -1 : 0, degrade }
}

const PLAINLY: Admission = Object.freeze({ rung: 0, degrade: false })
const DEGRADES = 1
const BLOCKS = 2

/** Which thresholds a rung hits in any window: bits. */
function hitsOf({ scopes }: ReserveRequest, readings: readonly number[], amounts: Amounts): number {
  let found = 0
  let at = 0
  for (let index = 0; index < scopes.length; index += 1) {
    const { windows } = scopes[index] as ScopeTerms
    for (let position = 0; position < windows.length; position += 1) {
      const { block, degrade, unit } = windows[position] as WindowTerms
      const used = (readings[at + 2] as number) + (readings[at + 3] as number)
      const amount = amountIn(unit, amounts)
      if (hits(block, used, amount)) found |= BLOCKS
      if (degrade !== null && hits(degrade, used, amount)) found |= DEGRADES
      at += READING_SIZE
    }
  }
  return found
}
