// Webhooks on an engine of their own, with time and timers in the hands of the test, and somebody who receives.

import { onTestFinished, vi } from 'vitest'
import { Bursar, type BursarConfig, type Registry } from '../../../../src/index.js'
import type { Engine } from '../../../../src/server/service.js'
import { Webhooks, type WebhooksOptions } from '../../../../src/server/webhooks/index.js'
import { Receiver } from '../../../support/server/receiver.js'

/** Noon: no window ends soon. */
export const NOON = Date.UTC(2026, 10, 18, 12)

/** What a test works with. */
export interface WebhookStage {
  readonly engine: Engine
  readonly registry: Registry
  readonly receiver: Receiver
  /** One more process on the same store; the first of them has heard of the engine's events. */
  open(options?: Partial<WebhooksOptions>): Webhooks
  advance(ms: number): void
  /** Timers that run, by how many ms they were set for. */
  readonly timers: ReadonlyMap<object, { readonly ms: number; readonly call: () => void }>
  /** Lets those of so many ms run out. */
  fire(ms: number): void
  /** All that a log was told, as text. */
  readonly logged: string[]
  /** The kinds of records that webhooks have asked for. */
  readonly asked: string[]
  /** Makes the registry fail, or work again. */
  fail(error: Error | undefined): void
  /** A refused request. */
  refuse(userId: string, tenant?: string, more?: object): Promise<void>
}

/** A stage with a daily budget of one dollar for everybody. */
export async function webhookStage(config: BursarConfig<string, string> = {}): Promise<WebhookStage> {
  // The package that verifies signatures reads the system's clock.
  vi.useFakeTimers({ toFake: ['Date'], now: NOON })
  onTestFinished(() => void vi.useRealTimers())
  const clock = (): number => Date.now()
  const engine = new Bursar<string, string>({ tiers: { free: { daily: 1 } }, defaultTier: 'free', scopes: { tenant: { '*': {} } }, clock, ...config })
  const receiver = await Receiver.start()
  const timers = new Map<object, { readonly ms: number; readonly call: () => void }>()
  const after: WebhooksOptions['after'] = (ms, call) => {
    const timer = {}
    timers.set(timer, { ms, call })
    return () => void timers.delete(timer)
  }
  const logged: string[] = []
  const note = (fields: object, message: string): void => void logged.push(`${message} ${JSON.stringify(fields)}`)
  let failure: Error | undefined
  const real = engine.tracker.registry
  const asked: string[] = []
  const orFail = <Result>(kind: string, work: () => Result): Result => {
    asked.push(kind)
    if (failure !== undefined) throw failure
    return work()
  }
  const registry: Registry = { get: (...given) => orFail(given[0], () => real.get(...given)), put: (...given) => orFail(given[0], () => real.put(...given)), list: (kind) => orFail(kind, () => real.list(kind)) }
  const opened: Webhooks[] = []
  onTestFinished(async () => {
    for (const webhooks of opened) await webhooks.close()
    await engine.close()
  })
  return {
    engine,
    registry: real,
    receiver,
    timers,
    logged,
    asked,
    open(options = {}) {
      const seen = { tracker: { registry }, on: engine.on.bind(engine), off: engine.off.bind(engine) } as unknown as Engine
      const webhooks = new Webhooks({ engine: seen, clock, log: { info: note, warn: note, error: note }, allowPrivate: true, after, ...options })
      opened.push(webhooks)
      webhooks.start()
      return webhooks
    },
    advance: (ms) => void vi.setSystemTime(Date.now() + ms),
    fire(ms) {
      for (const [timer, { ms: of, call }] of Array.from(timers)) if (of === ms && timers.delete(timer)) call()
    },
    fail: (error) => void (failure = error),
    async refuse(userId, tenant, more = {}) {
      const decision = await engine.check({ userId, ...(tenant !== undefined && { tenant }), model: 'gpt-4o', estimatedCost: 5, ...more })
      if (decision.allowed) throw new Error('the request was not refused')
    },
  }
}
