// Puts objects where an answer has their ids, as `expand[]` asks (docs.stripe.com/api/expanding_objects).

import { ApiError } from './api-error.js'
import type { Shown } from './book.js'

const EXPANDABLE = ['customer', 'invoice', 'latest_invoice', 'product', 'schedule', 'subscription']
/** Left out of an answer unless asked for; this stand-in has none of them, and a request for one is no error. */
const INCLUDABLE = ['cash_balance', 'sources', 'subscriptions', 'tax', 'tax_ids']
const MOST_LEVELS = 4

/** Expands `answer` in place. `show` finds an object by its id. Throws `ApiError` 400 for a path that cannot be expanded. */
export function expand(answer: Shown, paths: readonly string[], show: (id: string) => Shown | undefined): void {
  for (const path of paths) {
    const steps = path.split('.')
    const tooDeep = `You cannot expand more than ${MOST_LEVELS} levels of a property. Property: ${path}`
    if (steps.length > MOST_LEVELS) throw new ApiError(400, tooDeep, undefined, 'expand')
    step(answer, steps, path)
  }

  function step(at: unknown, [name, ...rest]: readonly string[], path: string): void {
    if (Array.isArray(at)) {
      for (const one of at) step(one, [name as string, ...rest], path)
      return
    }
    if (name === undefined || typeof at !== 'object' || at === null) return
    const object = at as Shown
    const value = object[name]
    if (typeof value === 'string' && EXPANDABLE.includes(name)) object[name] = show(value) ?? value
    else if (value === undefined && INCLUDABLE.includes(name)) return
    else if (value === undefined || (value !== null && typeof value !== 'object')) {
      throw new ApiError(400, `This property cannot be expanded (${path}).`, undefined, 'expand')
    }
    step(object[name], rest, path)
  }
}
