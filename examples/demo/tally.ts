// What the application itself saw of one user: how its calls were answered and what they cost. One of the counts to compare.

import type { Decision, EnforcementAction, Settlement, WindowView } from 'bursar'

/** The counts of one user. Money is microcents. */
export class Tally {
  readonly actions: Record<EnforcementAction, number> = { ALLOW: 0, WARN: 0, DEGRADE: 0, BLOCK: 0 }
  settled = 0
  failed = 0
  microcents = 0
  overageMicrocents = 0

  get requests(): number {
    return Object.values(this.actions).reduce((sum, count) => sum + count, 0)
  }

  settle({ exact }: Settlement): void {
    this.settled += 1
    this.microcents += exact.costMicrocents
    this.overageMicrocents += exact.overageMicrocents
  }
}

/** The most that was ever spent and held at once under each limit, by {@link limitKey}. */
export class Peaks {
  readonly #peaks = new Map<string, number>()

  /** Looks at the windows that a decision was tested against; an admitted request's estimate is part of what is held. */
  note({ allowed, windows }: Decision): void {
    if (!allowed) return
    for (const window of windows) {
      const { spent, held, estimate } = window.exact
      if (window.limit !== null) this.#peaks.set(limitKey(window), Math.max(this.of(limitKey(window)), spent + held + estimate))
    }
  }

  /** In microcents. */
  of(key: string): number {
    return this.#peaks.get(key) ?? 0
  }
}

/** Names a limit: the kind of its scope and the id. */
export function limitKey({ scope }: Pick<WindowView, 'scope'>): string {
  return `${scope.kind}/${scope.id}`
}
