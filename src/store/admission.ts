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
  const first = rungs[0] as Amounts
  const degrade = request.degrade === true || anyHit(request, readings, first, 'degrade')
  const blocked = refusedRungs?.[0] === true || (degrade && request.degradeBlocks === true) || anyHit(request, readings, first, 'block')
  if (!blocked && !degrade) return { rung: 0, degrade }
  for (let rung = 1; rung < rungs.length; rung += 1) {
    if (refusedRungs?.[rung] !== true && !anyHit(request, readings, rungs[rung] as Amounts, 'block')) return { rung, degrade }
  }
  return { rung: blocked ? -1 : 0, degrade }
}

function anyHit(request: ReserveRequest, readings: readonly number[], amounts: Amounts, threshold: 'block' | 'degrade'): boolean {
  const { scopes } = request
  let at = 0
  for (let index = 0; index < scopes.length; index += 1) {
    const { windows } = scopes[index] as ScopeTerms
    for (let position = 0; position < windows.length; position += 1) {
      const terms = windows[position] as WindowTerms
      const ceiling = terms[threshold]
      const used = (readings[at + 2] as number) + (readings[at + 3] as number)
      if (ceiling !== null && hits(ceiling, used, amountIn(terms.unit, amounts))) return true
      at += READING_SIZE
    }
  }
  return false
}
