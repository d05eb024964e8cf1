// What a refusal that is kept may tell whom: of budgets that are shared with others, nothing but that they refuse. Works on what is there;
// asks nobody.

import { fittingText, type Denial } from '../../decision/index.js'
import type { ScopeId } from '../../enforcement/index.js'
import type { Caller } from '../caller.js'
import { prefixOf } from '../ids.js'

const SHARED = 'A budget that is shared with others does not allow this request now.'
/** The error of a policy and the state of a store are the operator's. */
const INTERNAL: Readonly<Partial<Record<string, string>>> = {
  'policy-error': 'A policy could not be asked, and the request is not allowed without it.',
  'store-unavailable': 'Whether the budget allows this request cannot be told now. Try again later.',
}

/** The sentence of a refusal for somebody who may not see every budget. `scope`: that which refused. `windows`: those that were asked. */
export function deniedReason({ code, message, scope, largestFittingOutput }: Pick<Denial, 'code' | 'message' | 'scope' | 'largestFittingOutput'>, windows: readonly { readonly scope: ScopeId }[], caller: Caller): string {
  const internal = INTERNAL[code]
  if (internal !== undefined) return internal
  if (scope !== undefined && !caller.maySee(scope)) return SHARED
  if (windows.every((window) => caller.maySee(window.scope))) return message
  // Beside a budget of others, what would fit tells how much they have spent.
  const sentence = fittingText(largestFittingOutput)
  return sentence === '' ? message : message.replaceAll(sentence, '')
}

/** A text with the names of a tenant's own limits as it knows them. */
export function inWords(text: string, tenant: string | undefined): string {
  const prefix = prefixOf(tenant)
  return text.replaceAll(`"${prefix}`, '"').replaceAll(`limit ${encodeURIComponent(prefix)}`, 'limit ')
}
