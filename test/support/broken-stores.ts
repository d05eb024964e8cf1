// Stores that are broken on purpose, each with a mistake that real budget engines have made. A promise's property must tell them
// from a store that keeps it; otherwise the property says nothing.

import { amountIn } from '../../src/money/index.js'
import type {
  Admitted,
  Effect,
  Failure,
  MaybePromise,
  Refused,
  ReserveRequest,
  ScopeTerms,
  Settled,
  SettleRequest,
  Store,
  WindowTerms,
} from '../../src/store/index.js'
import { bucketIndex, type Clock } from '../../src/time/index.js'
import { Books, type Hold } from './plain-books.js'
import { chooseRung, PlainStore } from './plain-store.js'

const DAY = 86_400_000

/** Tests, waits, then acts: two requests pass one test (NO-OVERSPEND). */
export function checkThenAct(clock: Clock): Store {
  return new (class extends PlainStore {
    override async reserve(request: ReserveRequest): Promise<Admitted | Refused | Failure> {
      const effects: Effect[] = []
      const now = this.advance(effects)
      const known = this.find(request.id)
      if (known !== undefined) return this.repeat(known, request.fingerprint)
      const readings = this.books.readings(request.scopes, now)
      const { rung, degrade } = chooseRung(request, readings)
      await Promise.resolve()
      if (rung < 0) return { outcome: 'refused', now, readings, freeing: new Map(), effects }
      const { dueAt } = this.books.open(request, rung, degrade, now, effects)
      return { outcome: 'admitted', now, rung, degrade, dueAt, readings, effects }
    }
  })(clock)
}

/** Opens the hold first and gives it back when it was too much: meanwhile others are refused for it (NO-FALSE-BLOCK). */
export function opensThenGivesBack(clock: Clock): Store {
  return new (class extends PlainStore {
    override async reserve(request: ReserveRequest): Promise<Admitted | Refused | Failure> {
      const effects: Effect[] = []
      const now = this.advance(effects)
      const known = this.find(request.id)
      if (known !== undefined) return this.repeat(known, request.fingerprint)
      const readings = this.books.readings(request.scopes, now)
      const { rung, degrade } = chooseRung(request, readings)
      const hold = this.books.open(request, Math.max(rung, 0), degrade, now, effects)
      await Promise.resolve()
      if (rung >= 0) return { outcome: 'admitted', now, rung, degrade, dueAt: hold.dueAt, readings, effects }
      this.books.holds.splice(this.books.holds.indexOf(hold), 1)
      return { outcome: 'refused', now, readings, freeing: this.books.freeing(request.scopes, now), effects }
    }
  })(clock)
}

/** Works scope by scope: what earlier scopes were charged stays when a later one refuses (ALL-OR-NOTHING). */
export function chargesEarlierScopes(clock: Clock): Store {
  return new (class extends PlainStore {
    override reserve(request: ReserveRequest): MaybePromise<Admitted | Refused | Failure> {
      const reply = super.reserve(request) as Admitted | Refused | Failure
      if (reply.outcome !== 'refused') return reply
      const fits = (scope: ScopeTerms): boolean => chooseRung({ ...request, scopes: [scope] }, this.books.readings([scope], reply.now)).rung >= 0
      const first = request.scopes.findIndex((scope) => !fits(scope))
      if (first > 0) this.books.open({ ...request, id: `${request.id}:partial`, scopes: request.scopes.slice(0, first) }, 0, false, reply.now, [])
      return reply
    }
  })(clock)
}

/** Writes only what was held into the ledger: what a call cost beyond it is in the counters and in no entry (CONSERVATION). */
export function forgetsOverage(clock: Clock): Store {
  return new (class extends PlainStore {
    override settle(request: SettleRequest): MaybePromise<Settled | Failure> {
      const reply = super.settle(request) as Settled | Failure
      const line = this.books.lines.at(-1)
      if (reply.outcome !== 'settled' || reply.replayed || line?.kind !== 'settled' || line.microcents <= reply.heldMicrocents) return reply
      this.books.lines[this.books.lines.length - 1] = { ...line, entry: { ...line.entry, microcents: reply.heldMicrocents } }
      return reply
    }
  })(clock)
}

/** Empties a window at a restart instead of beginning another: what was held before is charged to what was emptied (CONSERVATION). */
export function emptiesAtRestart(clock: Clock): Store {
  class EmptiedBooks extends Books {
    readonly #emptied = new Map<string, number>()

    protected override beginAnew(...[scope, terms, span, effects]: Parameters<Books['beginAnew']>): void {
      this.#emptied.set(`${scope.key} ${terms.window} ${this.running(scope, terms, span.startsAt).startsAt}`, span.startsAt)
      effects.push({ kind: 'window-reset', scope: scope.scope, window: terms.window, ...span })
    }

    override spent(scope: ScopeTerms, terms: WindowTerms, now: number): number {
      const emptiedAt = this.#emptied.get(`${scope.key} ${terms.window} ${this.running(scope, terms, now).startsAt}`)
      if (emptiedAt === undefined || terms.unit === 'requests') return super.spent(scope, terms, now)
      const after = this.lines.filter(({ at, hold }) => at > emptiedAt && hold.placements.some((each) => each.scope.key === scope.key && each.terms.window === terms.window))
      return after.reduce((sum, line) => sum + amountIn(terms.unit, line), 0)
    }
  }
  return new PlainStore(clock, new EmptiedBooks())
}

/** Keeps under the request's provider what another one's model cost, and not how that was found (SAME-EVERYWHERE). */
export function forgetsDetails(clock: Clock): Store {
  return new (class extends PlainStore {
    override settle({ id, microcents, tokens, model }: SettleRequest): MaybePromise<Settled | Failure> {
      return super.settle({ id, microcents, tokens, model })
    }
  })(clock)
}

/** Charges a repeated settle again: a retry after a lost reply costs twice (ONE-ENDING). */
export function settlesTwice(clock: Clock): Store {
  return new (class extends PlainStore {
    override settle(request: SettleRequest): MaybePromise<Settled | Failure> {
      const reply = super.settle(request) as Settled | Failure
      const hold = this.find(request.id)
      if (reply.outcome !== 'settled' || !reply.replayed || hold === undefined) return reply
      this.books.write(hold, 'settled', reply.now, { microcents: reply.now, tokens: reply.now }, hold.cost)
      return { ...reply, replayed: false }
    }
  })(clock)
}

/** Forgets, at a refund, what it had announced: spending the same money again announces it again (ALERT-ONCE). */
export function alertsAgain(clock: Clock): Store {
  return new (class extends PlainStore {
    protected override refundFrom(hold: Hold, most: number, now: number, effects: Effect[], reason: string | undefined): number {
      const part = super.refundFrom(hold, most, now, effects, reason)
      if (part > 0) this.books.announced.splice(0)
      return part
    }
  })(clock)
}

/** Reads the windows after it placed the hold: the decision shows figures that it was not made on (EXPLAINED). */
export function readsTooLate(clock: Clock): Store {
  return new (class extends PlainStore {
    override reserve(request: ReserveRequest): MaybePromise<Admitted | Refused | Failure> {
      const reply = super.reserve(request) as Admitted | Refused | Failure
      if (reply.outcome !== 'admitted' || reply.replay !== undefined) return reply
      return { ...reply, readings: this.books.readings(request.scopes, reply.now) }
    }
  })(clock)
}

/** Says yes to the settle of a hold that it does not know: the money is gone without a trace (FAIL-LOUD). */
export function settlesUnknown(clock: Clock): Store {
  return new (class extends PlainStore {
    override settle(request: SettleRequest): MaybePromise<Settled | Failure> {
      const reply = super.settle(request) as Settled | Failure
      if (reply.outcome !== 'unknown-hold') return reply
      const facts = { user: { userId: 'nobody' }, tier: undefined }
      return { outcome: 'settled', now: clock(), microcents: request.microcents, heldMicrocents: 0, replayed: false, late: false, facts, effects: [] }
    }
  })(clock)
}

/** Cuts calendar windows at midnight UTC, whatever the zone (SAME-EVERYWHERE). */
export function wrongBoundaries(clock: Clock): Store {
  class UtcBooks extends Books {
    override calendarSpan(terms: WindowTerms, now: number): { startsAt: number; endsAt: number } {
      if (!terms.window.startsWith('daily')) return super.calendarSpan(terms, now)
      const startsAt = bucketIndex({ lengthMs: DAY, bucketMs: DAY }, now) * DAY
      return { startsAt, endsAt: startsAt + DAY }
    }
  }
  return new PlainStore(clock, new UtcBooks())
}
