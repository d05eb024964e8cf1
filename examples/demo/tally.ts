// What the application itself heard: how each user's calls were decided and what they cost, how full the limits were, and what was
// announced. One of the counts to compare; several processes count apart, and their counts are added up.

import type { BursarEvents, Decision, EnforcementAction, ThresholdEvent, WindowView } from 'bursar'

/** The counts of one user. Money is microcents. */
export interface Counts {
  readonly actions: Readonly<Record<EnforcementAction, number>>
  readonly settled: number
  readonly failed: number
  readonly microcents: number
  readonly overageMicrocents: number
}

/** Counts one user's calls. */
export class Tally implements Counts {
  readonly actions: Record<EnforcementAction, number> = { ALLOW: 0, WARN: 0, DEGRADE: 0, BLOCK: 0 }
  settled = 0
  failed = 0
  microcents = 0
  overageMicrocents = 0

  settle({ exact }: BursarEvents['settled']): void {
    this.settled += 1
    this.microcents += exact.costMicrocents
    this.overageMicrocents += exact.overageMicrocents
  }

  /** Adds what somebody else has counted. */
  add({ actions, settled, failed, microcents, overageMicrocents }: Counts): this {
    for (const [action, count] of Object.entries(actions)) this.actions[action as EnforcementAction] += count
    this.settled += settled
    this.failed += failed
    this.microcents += microcents
    this.overageMicrocents += overageMicrocents
    return this
  }
}

/** How many calls were decided on. */
export function callsIn({ actions }: Pick<Counts, 'actions'>): number {
  return Object.values(actions).reduce((sum, count) => sum + count, 0)
}

/** The most that was ever spent and held at once under each limit, by {@link limitKey}. */
export class Peaks {
  readonly #peaks = new Map<string, number>()

  /** Looks at the windows that a decision was tested against; an admitted request's estimate is part of what is held. */
  note({ allowed, windows }: Decision): void {
    if (!allowed) return
    for (const window of windows) {
      const { spent, held, estimate } = window.exact
      if (window.limit !== null) this.raise(limitKey(window), spent + held + estimate)
    }
  }

  raise(key: string, microcents: number): void {
    this.#peaks.set(key, Math.max(this.of(key), microcents))
  }

  /** In microcents. */
  of(key: string): number {
    return this.#peaks.get(key) ?? 0
  }

  entries(): [key: string, microcents: number][] {
    return [...this.#peaks]
  }
}

/** Names a limit: the kind of its scope and the id. */
export function limitKey({ scope }: Pick<WindowView, 'scope'>): string {
  return `${scope.kind}/${scope.id}`
}

/** A threshold that was announced: the limit that it belongs to, and the id that says which crossing it was. */
export interface Alert {
  readonly limit: string
  readonly id: string
}

/** All that one process has counted, as plain data. */
export interface Report {
  readonly tallies: readonly (readonly [userId: string, counts: Counts])[]
  readonly peaks: readonly (readonly [key: string, microcents: number])[]
  readonly alerts: readonly Alert[]
}

/** Counts for one process; reports of others can be added. */
export class Books {
  readonly peaks = new Peaks()
  readonly alerts: Alert[] = []
  readonly #tallies = new Map<string, Tally>()

  /** The tally of a user. */
  of(userId: string): Tally {
    const tally = this.#tallies.get(userId) ?? new Tally()
    this.#tallies.set(userId, tally)
    return tally
  }

  decided(decision: Decision): void {
    this.of(decision.context.userId).actions[decision.action] += 1
    this.peaks.note(decision)
  }

  settled(settlement: BursarEvents['settled']): void {
    const { user } = settlement
    this.of(typeof user === 'string' ? user : user.userId).settle(settlement)
  }

  announced(event: ThresholdEvent): void {
    this.alerts.push({ limit: limitKey(event), id: event.alertId })
  }

  report(): Report {
    return { tallies: [...this.#tallies], peaks: this.peaks.entries(), alerts: this.alerts }
  }

  add({ tallies, peaks, alerts }: Report): void {
    for (const [userId, counts] of tallies) this.of(userId).add(counts)
    for (const [key, microcents] of peaks) this.peaks.raise(key, microcents)
    this.alerts.push(...alerts)
  }
}
