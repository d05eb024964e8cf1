// The scopes that a memory store counts. A scope is made at its first charge and forgotten once all its windows have ended. Its
// counters stand among those of all scopes with the same windows, in large arrays of numbers: a user is no object, so a million
// of them cost the garbage collector nothing.

import { parseUserKey, scopeKey } from '../../budget/index.js'
import type { ScopeId } from '../../enforcement/index.js'
import type { ScopeTerms } from '../contract.js'
import type { KnownUser } from '../directory.js'
import { hasLapsed, OPEN_HOLDS, TIER, type Cells } from './cells.js'
import { Layout } from './layout.js'

/** Where the counters of one scope stand: `cells` from `base` on, laid out by `layout`. Valid within one operation. */
export interface ScopeRecord {
  readonly layout: Layout
  readonly cells: Cells
  readonly base: number
}

/** What no kind of scope has in its name: ids have no control characters. */
const OF_A_TENANT = '\u0000of a tenant'
/** How many other scopes are looked at after a new one was made: more than one, so that the ended are found faster than new ones come. */
const LOOKED_AT = 4
/** A scope's number is its layout's times this, plus its place among the scopes of that layout. */
const PLACES = 2 ** 24

/** All scopes. Those without a tenant are found by their id alone, so that no key is made for a look-up. */
export class Scopes {
  readonly #kinds = new Map<string, Map<string, number>>()
  readonly #root = Layout.root()
  readonly #tiers: (string | undefined)[] = [undefined]
  #lastKind: string | undefined
  #lastNumbers: Map<string, number> | undefined
  // One request asks for one scope three times, and among many scopes it is the look-up that takes time.
  #lastFoundIn: Map<string, number> | undefined
  #lastName = ''
  #lastNumber: number | undefined
  #grew = false
  #round: Generator<readonly [Map<string, number>, string, number]> | undefined

  get(scope: ScopeId): ScopeRecord | undefined {
    const number = this.#find(this.#numbersOf(scope), nameOf(scope))
    return number === undefined ? undefined : this.#recordAt(number)
  }

  /** The record of a scope with room for all its windows, made if it is not there. */
  withRoomFor({ scope, windows }: ScopeTerms): ScopeRecord {
    const numbers = this.#numbersOf(scope)
    const number = this.#find(numbers, nameOf(scope))
    const before = number === undefined ? undefined : this.#recordAt(number)
    if (before !== undefined && before.layout.placesOf(windows).complete) return before
    const layout = (before?.layout ?? this.#root).grownBy(windows)
    const place = layout.newPlace()
    const record = { layout, cells: layout.cellsAt(place), base: layout.baseOf(place) }
    if (before === undefined) this.#grew = true
    else {
      layout.copyFrom(before, record)
      before.layout.freePlace((number as number) % PLACES)
    }
    numbers.set(nameOf(scope), layout.number * PLACES + place)
    this.#lastFoundIn = undefined
    return record
  }

  /** Notes the tier of the last request, for listing users. */
  noteTier({ cells, base }: ScopeRecord, tier: string | undefined): void {
    if (this.#tiers[cells[base + TIER] as number] === tier) return
    const known = this.#tiers.indexOf(tier)
    cells[base + TIER] = known >= 0 ? known : this.#tiers.push(tier) - 1
  }

  tierOf({ cells, base }: ScopeRecord): string | undefined {
    return this.#tiers[cells[base + TIER] as number]
  }

  /** Every user with the tier last seen. */
  *users(): Generator<KnownUser> {
    for (const [userId, number] of this.#kinds.get('user') ?? []) yield { user: { userId }, tier: this.tierOf(this.#recordAt(number)) }
    for (const [key, number] of this.#kinds.get(`user${OF_A_TENANT}`) ?? []) {
      const user = parseUserKey(key)
      if (user !== undefined) yield { user, tier: this.tierOf(this.#recordAt(number)) }
    }
  }

  /**
   * Forgets some scopes whose windows have all ended, if new ones came since the last time: memory is bounded by the scopes with
   * a running window. Called between operations, when no record is in use.
   */
  forgetLapsed(now: number): void {
    if (!this.#grew) return
    this.#grew = false
    for (let looked = 0; looked < LOOKED_AT; looked += 1) {
      this.#round ??= this.#everyScope()
      const next = this.#round.next()
      if (next.done === true) {
        this.#round = undefined
        return
      }
      const [numbers, name, number] = next.value
      const record = this.#recordAt(number)
      if (record.cells[record.base + OPEN_HOLDS] !== 0 || !hasLapsedWholly(record, now)) continue
      numbers.delete(name)
      this.#lastFoundIn = undefined
      record.layout.freePlace(number % PLACES)
    }
  }

  #find(numbers: Map<string, number>, name: string): number | undefined {
    if (numbers === this.#lastFoundIn && name === this.#lastName) return this.#lastNumber
    const number = numbers.get(name)
    this.#lastFoundIn = numbers
    this.#lastName = name
    this.#lastNumber = number
    return number
  }

  #recordAt(number: number): ScopeRecord {
    const place = number % PLACES
    const layout = this.#root.layoutOf((number - place) / PLACES)
    return { layout, cells: layout.cellsAt(place), base: layout.baseOf(place) }
  }

  #numbersOf({ kind, tenant }: ScopeId): Map<string, number> {
    const name = tenant === undefined ? kind : `${kind}${OF_A_TENANT}`
    if (name === this.#lastKind) return this.#lastNumbers as Map<string, number>
    let numbers = this.#kinds.get(name)
    if (numbers === undefined) {
      numbers = new Map()
      this.#kinds.set(name, numbers)
    }
    this.#lastKind = name
    this.#lastNumbers = numbers
    return numbers
  }

  *#everyScope(): Generator<readonly [Map<string, number>, string, number]> {
    for (const numbers of this.#kinds.values()) for (const [name, number] of numbers) yield [numbers, name, number]
  }
}

function nameOf(scope: ScopeId): string {
  return scope.tenant === undefined ? scope.id : scopeKey(scope)
}

function hasLapsedWholly({ layout, cells, base }: ScopeRecord, now: number): boolean {
  return layout.windows.every((terms) => hasLapsed(cells, base + layout.slotOf(terms.window), terms, now))
}
