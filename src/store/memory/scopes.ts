// The scopes that a memory store counts. A scope is made at its first charge and forgotten once all its windows have ended. Its
// counters stand among those of all scopes with the same windows, in large arrays of numbers: a user is no object, so a million
// of them cost the garbage collector nothing.

import { parseScopeKey, parseUserKey, scopeKey } from '../../budget/index.js'
import type { ScopeId } from '../../enforcement/index.js'
import type { ScopeTerms } from '../contract.js'
import type { KnownUser } from '../directory.js'
import type { Books, ScopeRecord } from '../counting/books.js'
import { hasLapsed, OPEN_HOLDS, TIER } from '../counting/cells.js'
import { Layout } from '../counting/layout.js'
import { Chunks } from './chunks.js'

/** What no kind of scope has in its name: ids have no control characters. */
const OF_A_TENANT = '\u0000of a tenant'
/** How many other scopes are looked at after a new one was made: more than one, so that the ended are found faster than new ones come. */
const LOOKED_AT = 4
/** A scope's number is its layout's times this, plus its place among the scopes of that layout. */
const PLACES = 2 ** 24

/** All scopes. Those without a tenant are found by their id alone, so that no key is made for a look-up. */
export class Scopes implements Books {
  readonly #kinds = new Map<string, Map<string, number>>()
  readonly #root = Layout.root()
  /** By the number of the layout. */
  readonly #chunks: Chunks[] = []
  readonly #tiers: (string | undefined)[] = [undefined]
  #lastKind: string | undefined
  #lastNumbers: Map<string, number> | undefined
  // One request asks for one scope three times, and among many scopes it is the look-up that takes time.
  #lastFoundIn: Map<string, number> | undefined
  #lastName = ''
  #lastNumber: number | undefined
  #grew = false
  #hasForgotten = false
  #round: Generator<readonly [Map<string, number>, string, number]> | undefined

  get({ scope }: Pick<ScopeTerms, 'scope'>): ScopeRecord | undefined {
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
    const chunks = this.#chunksOf(layout)
    const place = chunks.newPlace()
    const record = { layout, cells: chunks.cellsAt(place), base: chunks.baseOf(place) }
    if (before === undefined) this.#grew = true
    else {
      record.cells.set(before.cells.subarray(before.base, before.base + before.layout.empty.length), record.base)
      this.#chunksOf(before.layout).freePlace((number as number) % PLACES)
    }
    numbers.set(nameOf(scope), layout.number * PLACES + place)
    this.#lastFoundIn = undefined
    return record
  }

  noteTier({ cells, base }: ScopeRecord, tier: string | undefined): void {
    if (this.#tiers[cells[base + TIER] as number] === tier) return
    const known = this.#tiers.indexOf(tier)
    cells[base + TIER] = known >= 0 ? known : this.#tiers.push(tier) - 1
  }

  tierOf({ cells, base }: ScopeRecord): string | undefined {
    return this.#tiers[cells[base + TIER] as number]
  }

  /** True once a scope was forgotten: when it comes again, its lifetime totals begin anew. */
  get hasForgotten(): boolean {
    return this.#hasForgotten
  }

  /** Every scope. */
  *all(): Generator<{ readonly scope: ScopeId; readonly record: ScopeRecord }> {
    for (const [kind, numbers] of this.#kinds) {
      for (const [name, number] of numbers) yield { scope: kind.endsWith(OF_A_TENANT) ? parseScopeKey(name) : { kind, id: name }, record: this.#recordAt(number) }
    }
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
   * Forgets some scopes whose windows have all ended long enough ago, if new ones came since the last time: memory is bounded by the
   * scopes with a window that ran within the last month or so. Called between operations, when no record is in use.
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
      this.#hasForgotten = true
      this.#lastFoundIn = undefined
      this.#chunksOf(record.layout).freePlace(number % PLACES)
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
    const chunks = this.#chunks[layout.number] as Chunks
    return { layout, cells: chunks.cellsAt(place), base: chunks.baseOf(place) }
  }

  #chunksOf(layout: Layout): Chunks {
    return (this.#chunks[layout.number] ??= new Chunks(layout))
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
