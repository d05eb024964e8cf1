// What is played: changes and deliveries in any order, what is held back on the line, and what is lost.

import fc from 'fast-check'
import type { AccountOptions } from '../../../examples/stripe-stand-in/book.js'
import type { ListsOfDeleted } from '../../../examples/stripe-stand-in/answers.js'
import { mysteriousChanges, plainChanges, type Change } from './changes.js'

/** One step. `which` is a place in a list, `to` one of two processes; 2 and 3 of `deliver-all` mean both of them in turn. */
export type Step =
  | { readonly do: 'change'; readonly change: Change }
  | { readonly do: 'deliver' | 'repeat'; readonly which: number; readonly to: number }
  | { readonly do: 'deliver-all'; readonly to: number }
  | { readonly do: 'release'; readonly which: number }
  | { readonly do: 'wait'; readonly seconds: number }

/** A whole play. */
export interface Script {
  readonly steps: readonly Step[]
  readonly mostCustomers: number
  /** Prices and statuses that nobody knows: what is shown depends on what was before. */
  readonly isMysterious?: true
  /** Of what passes on the line, what is held back. */
  readonly held: readonly boolean[]
  /** In which order the rest is delivered in the end. */
  readonly order: readonly number[]
  /** What is let go, turn by turn, while nothing else is waited for: a place, or nothing. */
  readonly releases: readonly (number | undefined)[]
  /** Of what is left in the end, what is never delivered: then somebody reconciles. */
  readonly dropped: readonly boolean[]
  readonly reconciler: number
  /** How long it takes, in the end, until the next is let go: some looks outlast their lock. */
  readonly paceSeconds: number
  /** Of what is asked of Stripe, what is refused; of what is written to the directory, what fails before it is done or after. */
  readonly refused: readonly boolean[]
  readonly unwritten: readonly ('not' | 'before' | 'after')[]
  readonly listsOfDeleted: ListsOfDeleted
  readonly apiShape: NonNullable<AccountOptions['apiShape']>
  readonly embeddedItems: number
}

const which = fc.nat({ max: 15 })
const to = fc.nat({ max: 1 })

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: plainChanges.map((change) => ({ do: 'change' as const, change })) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('deliver' as const), which, to }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('deliver-all' as const), to: fc.nat({ max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('repeat' as const), which, to }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.constantFrom(1, 31, 31, 61, 3_600, 172_800) }) },
)

function seldom<T>(what: fc.Arbitrary<T>, usually: T): fc.Arbitrary<T[]> {
  const mostly = fc.oneof({ weight: 2, arbitrary: fc.constant(usually) }, { weight: 1, arbitrary: what })
  return fc.oneof({ weight: 2, arbitrary: fc.constant<T[]>([usually]) }, { weight: 1, arbitrary: fc.array(mostly, { minLength: 1, maxLength: 8 }) })
}

/** Any play. */
export const scripts: fc.Arbitrary<Script> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
  mostCustomers: fc.constantFrom(1, 2, 2, 3, 3, 5),
  held: fc.array(fc.constantFrom(false, false, true), { minLength: 1, maxLength: 16 }),
  order: fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 20 }),
  releases: fc.array(fc.option(which, { nil: undefined, freq: 2 }), { minLength: 1, maxLength: 8 }),
  dropped: fc.oneof({ weight: 4, arbitrary: fc.constant<boolean[]>([]) }, { weight: 1, arbitrary: fc.constant([true]) }, { weight: 2, arbitrary: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }) }),
  reconciler: to,
  paceSeconds: fc.constantFrom(0, 0, 1, 31),
  refused: seldom(fc.boolean(), false),
  unwritten: seldom(fc.constantFrom('not' as const, 'before' as const, 'before' as const, 'after' as const), 'not' as const),
  listsOfDeleted: fc.constantFrom('refused' as const, 'answered' as const),
  apiShape: fc.constantFrom('since-2025-03-31' as const, 'before-2025-03-31' as const),
  embeddedItems: fc.constantFrom(10, 10, 10, 1),
})

/** Changes with mysteries among them, delivered one after the other to this or that process, and nothing in the way. */
export const mysteries: fc.Arbitrary<{ readonly script: Script; readonly changes: readonly (readonly [change: Change, to: number])[] }> = fc.record({
  changes: fc.array(fc.tuple(mysteriousChanges, to), { minLength: 1, maxLength: 30, size: 'max' }),
  script: scripts.map((script) => ({ ...script, isMysterious: true as const, steps: [], held: [false], refused: [false], unwritten: ['not' as const] })),
})
