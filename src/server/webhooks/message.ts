// What receivers are told, and who is told it: from the events of the engine to messages. A tenant's endpoint hears of its own users and
// budgets alone. Pure.

import { createHash } from 'node:crypto'
import type { DeniedDecision } from '../../decision/index.js'
import type { ScopeId, WindowView } from '../../enforcement/index.js'
import type { ThresholdEvent } from '../../events/index.js'
import { MICROCENTS_PER_USD } from '../../money/index.js'
import { parseDuration } from '../../time/index.js'
import { Caller } from '../caller.js'
import { clientId } from '../ids.js'

/** Of what an endpoint may hear: `webhook.test` is sent to whoever asks for it. */
export type WebhookEvent = 'threshold.reached' | 'request.denied'

/** All of them. */
export const EVENTS: readonly WebhookEvent[] = ['threshold.reached', 'request.denied']

/** What a message is of. */
export type MessageType = WebhookEvent | 'webhook.test'

/** The body of a delivery. Money is USD numbers, `exact` integers: microcents, or a count of tokens or requests. */
export interface Message {
  readonly type: MessageType
  /** When it happened: ISO 8601. */
  readonly timestamp: string
  readonly data: object
}

/** Something that happened, and what each endpoint is told of it. */
export interface Happening {
  readonly type: WebhookEvent
  /** The same happening has the same identity, in whichever process. */
  readonly identity: string
  /** Whose doing it is; `undefined`: of nobody's tenant, as what all share. */
  readonly tenant: string | undefined
  /** The message for an endpoint of that tenant (`undefined`: the operator's); `undefined`: it is not told. */
  messageFor(tenant: string | undefined): Message | undefined
}

const DAY_MS = 86_400_000

/** An identity as an id: the same parts give the same one, others another. */
export function idOf(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 27)
}

/** A threshold that was reached. */
export function thresholdHappening(event: ThresholdEvent, now: number): Happening {
  const { alertId, scope, period, unit, thresholdPct, usedPct, limit, spent, resetsAt, userId } = event
  const message: Message = {
    type: 'threshold.reached',
    timestamp: new Date(now).toISOString(),
    data: { alertId, scope, period, unit, thresholdPct, usedPct, limit, spent, exact: { limit: exactly(limit, unit), spent: exactly(spent, unit) }, resetsAt: resetsAt?.toISOString() ?? null, ...(userId !== undefined && { userId, tenant: scope.tenant }) },
  }
  return { type: 'threshold.reached', identity: `threshold ${alertId}`, tenant: scope.tenant ?? (scope.kind === 'tenant' ? scope.id : undefined), messageFor: (tenant) => (maySee(tenant, scope) ? message : undefined) }
}

/**
 * A request that was refused: once for a user and the instance of the window that refuses, and again where its limit has changed. One that
 * rolls has an instance for each of its lengths, and what no window refuses is told once a day.
 */
export function denialHappening(decision: DeniedDecision, now: number): Happening {
  const { code, status, scope, window, unit, limit, used, resetsAt, retryAfterMs } = decision.toDenial()
  const { userId, tenant: of, userTier } = decision.context
  const view = scope && decision.windows.find((each) => each.period === window && each.unit === unit && isSame(each.scope, scope))
  const timestamp = new Date(now).toISOString()
  const messageFor = (tenant: string | undefined): Message | undefined => {
    if (tenant !== undefined && tenant !== of) return undefined
    const isSeen = scope !== undefined && maySee(tenant, scope)
    return {
      type: 'request.denied',
      timestamp,
      data: {
        decisionId: clientId(of, decision.id),
        userId,
        ...(of !== undefined && { tenant: of }),
        ...(userTier !== undefined && { tier: userTier }),
        ...(decision.requestedModel !== undefined && { model: decision.requestedModel }),
        code,
        status,
        ...(isSeen && { scope, window, unit, limit, used, ...(view !== undefined && { exact: { limit: view.exact.limit, used: view.exact.spent + view.exact.held } }), resetsAt: resetsAt?.toISOString() ?? null, retryAfterMs }),
      },
    }
  }
  return { type: 'request.denied', identity: `denied ${idOf(of ?? null, userId, code, ...instanceOf(scope, window, view, resetsAt, now))}`, tenant: of, messageFor }
}

function instanceOf(scope: ScopeId | undefined, window: string | undefined, view: WindowView | undefined, resetsAt: Date | null | undefined, now: number): readonly unknown[] {
  if (scope === undefined || window === undefined) return [Math.floor(now / DAY_MS)]
  const [, length] = /^rolling:(.+)$/.exec(window) ?? []
  const instance = length === undefined ? (resetsAt?.getTime() ?? null) : Math.floor(now / parseDuration(length, 'window'))
  return [scope.kind, scope.tenant ?? null, scope.id, window, view?.unit ?? null, view?.exact.limit ?? null, instance]
}

function isSame(a: ScopeId, b: ScopeId): boolean {
  return a.kind === b.kind && a.id === b.id && a.tenant === b.tenant
}

function maySee(tenant: string | undefined, scope: ScopeId): boolean {
  return tenant === undefined || new Caller({ keyId: undefined, name: 'an endpoint', roles: ['read'], tenant }).maySee(scope)
}

function exactly(amount: number, unit: string): number {
  return unit === 'usd' ? Math.round(amount * MICROCENTS_PER_USD) : amount
}
