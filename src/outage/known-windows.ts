// What this process last heard of the windows, and what it has admitted by it while the store was away: a fixed share of what
// remained, used once. Knows the admission rule; asks no store and reads no clock.

import { amountIn, MAX_AMOUNT, saturatingAdd, type Amounts } from '../money/index.js'
import { admit, READING_SIZE, type Admitted, type Freeing, type Refused, type ReserveRequest, type ScopeTerms, type WindowTerms } from '../store/index.js'

/** One scope as it stood when the store last spoke of it. */
interface KnownScope {
  windows: readonly WindowTerms[]
  readings: number[]
  /** Store time of the reading. */
  now: number
  /** What was admitted here since, for each window; absent: nothing. */
  admitted: number[] | undefined
  /** The admitted ones of which the store has not been told. */
  untold: Set<Taken> | undefined
}

/** Money that this process admitted by its share. */
export interface LocalHold {
  /** Counts what a call cost above its estimate: it is spent as well. */
  exceed(by: Amounts): void
  /** The store has been told, or the call was not made. Nothing is given back before the store has spoken of the scope again. */
  told(): void
}

/** The answer of the local share, and the hold to take if the request goes on. */
export interface LocalAnswer {
  readonly reply: Admitted | Refused
  take(): LocalHold
}

/** How many scopes are remembered. */
export const MOST_SCOPES = 10_000
const NO_FREEING: ReadonlyMap<number, readonly Freeing[]> = new Map()
/** A share in these, so that sums of shares are sums of integers. */
const SHARE_PARTS = 1_000_000_000

/** See the head of this file. `share` is above 0 and at most 1; the shares of all processes together must be at most 1. */
export class KnownWindows {
  readonly #shareParts: bigint
  readonly #most: number
  readonly #scopes = new Map<string, KnownScope>()

  constructor(share: number, most = MOST_SCOPES) {
    this.#shareParts = BigInt(Math.floor(share * SHARE_PARTS))
    this.#most = most
  }

  /**
   * Remembers what a store said of some scopes, before `taken` was held in them. What this process admitted by its share is
   * forgotten, but for what the store does not know yet. Only for answers to what was asked while the store was there.
   */
  note(scopes: readonly ScopeTerms[], readings: readonly number[], now: number, taken: Amounts | undefined): void {
    let at = 0
    for (const { key, windows } of scopes) {
      const end = at + windows.length * READING_SIZE
      const before = this.#scopes.get(key)
      if (before === undefined || before.now <= now) {
        const own = readings.slice(at, end)
        if (taken !== undefined) windows.forEach(({ unit }, index) => (own[index * READING_SIZE + 3] = (own[index * READING_SIZE + 3] as number) + amountIn(unit, taken)))
        this.#remember(key, before, windows, own, now)
      }
      at = end
    }
  }

  /** Counts what the store has recorded since the last reading: a cost of its own, or what a call cost above its hold (`requests` 0). */
  spent(scopes: readonly ScopeTerms[], amounts: Amounts, requests: 0 | 1): void {
    for (const { key } of scopes) {
      const known = this.#scopes.get(key)
      known?.windows.forEach(({ unit }, index) => {
        const at = index * READING_SIZE + 2
        known.readings[at] = saturatingAdd(known.readings[at] as number, unit === 'requests' ? requests : amountIn(unit, amounts))
      })
    }
  }

  /** Forgets everything: the store does not stand by it any more. */
  clear(): void {
    this.#scopes.clear()
  }

  /**
   * What the share says of a request at store time `now`, or `undefined` where something about it is not known: a scope or a window
   * never seen, or one with a limit that has ended since. One that refuses nothing needs not be known, and counts as empty.
   *
   * INVARIANT (NO-OVERSPEND, as far as it goes without a store): this process admits no more than its share of what it last heard to
   * remain. Each has heard that at another moment: what others spent between then and the outage is not taken off, so that all
   * together may exceed what the store would still have admitted, by no more than that.
   */
  answer(request: ReserveRequest, now: number): LocalAnswer | undefined {
    const readings: number[] = []
    const found: KnownScope[] = []
    for (const { key, windows } of request.scopes) {
      if (windows.length === 0) continue
      const known = this.#scopes.get(key)
      if (known === undefined && !windows.every(onlyWarns)) return undefined
      for (const terms of windows) {
        const place = known === undefined ? -1 : known.windows.findIndex(({ window }) => window === terms.window)
        if (known !== undefined && place >= 0 && !(terms.limit !== null && hasEnded(known, place, now))) readings.push(...this.#shared(known, place, terms))
        else if (onlyWarns(terms)) readings.push(...empty(terms, now))
        else return undefined
      }
      if (known !== undefined) found.push(known)
    }
    const { rung, degrade } = admit(request, readings)
    const reply: Admitted | Refused = rung < 0
      ? { outcome: 'refused', now, readings, freeing: NO_FREEING, effects: [] }
      : { outcome: 'admitted', now, rung, degrade, dueAt: now + request.ttlMs, readings, effects: [] }
    return { reply, take: () => this.#take(found, request.rungs[Math.max(rung, 0)] as Amounts, now + request.ttlMs) }
  }

  /**
   * A window as this process may use it: what is not its own to give, and what it has given, counts as held. So the thresholds, the
   * ladder and the policies judge it like any other.
   */
  #shared(known: KnownScope, place: number, { block }: WindowTerms): readonly [number, number, number, number] {
    const [startsAt, endsAt, spent, held] = known.readings.slice(place * READING_SIZE, (place + 1) * READING_SIZE) as [number, number, number, number]
    const admitted = known.admitted?.[place] ?? 0
    // Nothing refuses here but exactness: there is nothing to share.
    if (block.max === MAX_AMOUNT) return [startsAt, endsAt, spent, Math.min(MAX_AMOUNT - spent, held + admitted)]
    const remaining = Math.max(0, block.max - spent - held)
    const share = Number((BigInt(remaining) * this.#shareParts) / BigInt(SHARE_PARTS))
    return [startsAt, endsAt, spent, held + remaining - Math.max(0, share - admitted)]
  }

  #take(scopes: readonly KnownScope[], amounts: Amounts, until: number): LocalHold {
    const add = (by: Amounts, requests: 0 | 1): void => {
      for (const known of scopes) {
        known.admitted ??= known.windows.map(() => 0)
        addTo(known.admitted, known.windows, by, requests)
      }
    }
    const taken: Taken = { amounts, until }
    add(amounts, 1)
    for (const known of scopes) (known.untold ??= new Set()).add(taken)
    return {
      exceed: (by) => {
        add(by, 0)
        taken.amounts = { microcents: taken.amounts.microcents + by.microcents, tokens: taken.amounts.tokens + by.tokens }
      },
      told: () => {
        for (const known of scopes) known.untold?.delete(taken)
      },
    }
  }

  #remember(key: string, before: KnownScope | undefined, windows: readonly WindowTerms[], readings: number[], now: number): void {
    this.#scopes.delete(key)
    if (before === undefined) {
      if (this.#scopes.size >= this.#most) this.#scopes.delete(this.#scopes.keys().next().value as string)
      this.#scopes.set(key, { windows, readings, now, admitted: undefined, untold: undefined })
      return
    }
    before.windows = windows
    before.readings = readings
    before.now = now
    before.admitted = undefined
    if (before.untold !== undefined && before.untold.size > 0) {
      before.admitted = windows.map(() => 0)
      for (const taken of before.untold) {
        if (taken.until > now) addTo(before.admitted, windows, taken.amounts, 1)
        else before.untold.delete(taken)
      }
    }
    this.#scopes.set(key, before)
  }
}

interface Taken {
  amounts: Amounts
  /** Store time from which on nobody waits for its ending any more. */
  readonly until: number
}

function addTo(admitted: number[], windows: readonly WindowTerms[], amounts: Amounts, requests: 0 | 1): void {
  windows.forEach(({ unit }, index) => {
    admitted[index] = saturatingAdd(admitted[index] as number, unit === 'requests' ? requests : amountIn(unit, amounts))
  })
}

/** True for a window with a limit that neither refuses nor asks for a cheaper model, however full it is. */
function onlyWarns({ limit, block, degrade }: WindowTerms): boolean {
  return limit !== null && block.max === MAX_AMOUNT && degrade === null
}

/** The reading of a window in which nothing is counted. */
function empty({ source }: WindowTerms, now: number): readonly [number, number, number, number] {
  if (source.kind === 'rolling') return [now, now + source.rule.lengthMs, 0, 0]
  const { startsAt, endsAt } = source.calendar.at(now)
  return [startsAt, endsAt, 0, 0]
}

/** What is counted in a window after its end is not known. A rolling one is over when everything that counted then has left it. */
function hasEnded({ windows, readings, now: readAt }: KnownScope, place: number, now: number): boolean {
  const { source } = windows[place] as WindowTerms
  return source.kind === 'rolling' ? now >= readAt + source.rule.lengthMs : now >= (readings[place * READING_SIZE + 1] as number)
}
