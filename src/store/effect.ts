// What an operation brings about beside its answer.

import type { ScopeId } from '../enforcement/index.js'
import type { Amounts, Unit } from '../money/index.js'
import type { ChargeFacts } from './facts.js'

/** Something that an operation brought about and that is announced once the state is safe. */
export type Effect =
  | {
      readonly kind: 'threshold'
      /** Stable: the same crossing has the same id, whoever sees it. */
      readonly alertId: string
      readonly scope: ScopeId
      readonly window: string
      readonly unit: Unit
      readonly thresholdPct: number
      readonly limit: number
      readonly spent: number
      readonly startsAt: number
      readonly endsAt: number
    }
  | { readonly kind: 'hold-expired'; readonly id: string; readonly dueAt: number; readonly charged: Amounts; readonly facts: ChargeFacts }
  /** The store has gone back: a failover lost writes that it had acknowledged to this process. */
  | { readonly kind: 'writes-lost'; readonly atLeast: number }
  | { readonly kind: 'window-reset'; readonly scope: ScopeId; readonly window: string; readonly startsAt: number; readonly endsAt: number }
