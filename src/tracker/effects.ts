// What a store brought about, as events: integers become USD and dates here, once the state is safe.

import { periodOf } from '../budget/index.js'
import { percentOf } from '../enforcement/index.js'
import { StoreUnavailableError } from '../errors/index.js'
import type { EventHub, TrackerEvents } from '../events/index.js'
import { toPublic, toUsd } from '../money/index.js'
import type { Effect } from '../store/index.js'
import { NEVER } from '../time/index.js'

/** Announces effects. A hold that expired unheard warns once through `warn`. */
export class EffectAnnouncer {
  readonly #hub: EventHub<TrackerEvents>
  readonly #warn: (message: string) => void
  #warned = false

  constructor(hub: EventHub<TrackerEvents>, warn: (message: string) => void) {
    this.#hub = hub
    this.#warn = warn
  }

  announce(effects: readonly Effect[]): void {
    if (effects.length > 0) for (const effect of effects) this.#announceOne(effect)
  }

  #announceOne(effect: Effect): void {
    if (effect.kind === 'hold-expired') {
      this.#holdExpired(effect)
      return
    }
    if (effect.kind === 'writes-lost') {
      const error = new StoreUnavailableError(`the store has gone back by at least ${effect.atLeast} writes that it had acknowledged: a failover lost them. What they had spent is spent: audit() tells where counters and ledger differ, and the store can be told to wait for replicas.`)
      this.#hub.emit('store-error', { operation: 'failover', error })
      return
    }
    const { period, unit } = periodOf(effect.window)
    const resetsAt = effect.endsAt === NEVER ? null : new Date(effect.endsAt)
    if (effect.kind === 'window-reset') {
      this.#hub.emit('window-reset', { scope: effect.scope, period, unit, startsAt: new Date(effect.startsAt), resetsAt })
      return
    }
    const { alertId, scope, thresholdPct, limit, spent } = effect
    const user = scope.kind === 'user' ? { userId: scope.id } : {}
    const amounts = { limit: toPublic(unit, limit), spent: toPublic(unit, spent), usedPct: percentOf(limit, spent) }
    this.#hub.emit('threshold', { alertId, scope, period, unit, thresholdPct, ...amounts, resetsAt, ...user })
  }

  #holdExpired(effect: Extract<Effect, { kind: 'hold-expired' }>): void {
    if (!this.#hub.hears('hold-expired')) {
      if (!this.#warned) this.#warn(`bursar: hold "${effect.id}" was neither settled nor released in time and has expired. Settle or release every decision, or listen for "hold-expired". (This is said once.)`)
      this.#warned = true
      return
    }
    this.#hub.emit('hold-expired', { id: effect.id, user: effect.facts.user, tier: effect.facts.tier, dueAt: new Date(effect.dueAt), charged: toUsd(effect.charged.microcents) })
  }
}
