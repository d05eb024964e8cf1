// Spans and metrics as the SDK of OpenTelemetry gets them.

import { AsyncLocalStorage } from 'node:async_hooks'
import { context, propagation, ROOT_CONTEXT, SpanStatusCode, trace, type Context, type ContextManager } from '@opentelemetry/api'
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader, type HistogramMetricData, type SumMetricData } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from '../../../src/index.js'
import { attachOpenTelemetry } from '../../../src/telemetry/attach-open-telemetry.js'
import { priceBook } from '../../../src/prices/index.js'
import { openTelemetry, type OpenTelemetryOptions } from '../../../src/telemetry/opentelemetry.js'
import { allowedOf, storeWith } from '../setting.js'
import { engine } from './kit.js'

/** What carries the active span through awaits, as the SDK for Node does. */
class Contexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>()
  active = (): Context => this.#storage.getStore() ?? ROOT_CONTEXT
  with: ContextManager['with'] = (active, fn, self, ...given) => this.#storage.run(active, () => fn.call(self, ...given))
  bind: ContextManager['bind'] = (_context, target) => target
  enable = (): this => this
  disable = (): this => this
}

beforeAll(() => void context.setGlobalContextManager(new Contexts()))
afterAll(() => {
  context.disable()
  trace.disable()
  propagation.disable()
})

function traced(options: OpenTelemetryOptions = {}, ...[config]: Parameters<typeof engine>) {
  const { bursar, clock } = engine(config)
  const spans = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  const off = openTelemetry(bursar, { tracerProvider, meterProvider, ...options })
  const metric = async (name: string): Promise<readonly { readonly attributes: object; readonly value: number }[]> => {
    await reader.forceFlush()
    const found = exporter.getMetrics().at(-1)?.scopeMetrics.flatMap(({ metrics }) => metrics).find(({ descriptor }) => descriptor.name === name)
    const points = (found as SumMetricData | HistogramMetricData | undefined)?.dataPoints ?? []
    return points.map(({ attributes, value }) => ({ attributes, value: typeof value === 'number' ? value : (value as { sum: number }).sum }))
  }
  const all = async (): Promise<string> => {
    await reader.forceFlush()
    return JSON.stringify([exporter.getMetrics(), spans.getFinishedSpans().map(({ name, attributes, events, status }) => ({ name, attributes, events, status }))])
  }
  return { bursar, clock, spans: () => spans.getFinishedSpans(), tracer: tracerProvider.getTracer('test'), metric, all, off }
}

describe('spans', () => {
  it('tell of a check and its settle in the words of the conventions', async () => {
    const { bursar, spans } = traced()
    const decision = allowedOf(await bursar.check({ userId: 'ann', tenant: 'acme', userTier: 'pro', model: 'gpt-4o', provider: 'openai', estimatedCost: 0.5, maxOutputTokens: 300 }))
    await decision.settle({ usage: { inputTokens: 1_000, cachedInputTokens: 200, outputTokens: 50, reasoningTokens: 20 }, model: 'gpt-4o-mini', cost: 0.75 })
    const [check, settle] = spans()
    expect(check).toMatchObject({ name: 'bursar.check', status: { code: SpanStatusCode.UNSET } })
    expect(check?.attributes).toEqual({
      'gen_ai.request.model': 'gpt-4o', 'gen_ai.provider.name': 'openai', 'gen_ai.request.max_tokens': 300, 'bursar.tenant': 'acme', 'bursar.tier': 'pro', 'bursar.decision.id': decision.id,
      'bursar.action': 'ALLOW', 'bursar.replayed': false, 'bursar.enforced_by': 'store', 'bursar.cost.estimated_usd': 0.5, 'bursar.model': 'gpt-4o',
    }) // prettier-ignore
    expect(settle?.name).toBe('bursar.settle')
    expect(settle?.attributes).toEqual({
      'bursar.decision.id': decision.id, 'bursar.cost.settled_usd': 0.75, 'bursar.cost.overage_usd': 0.25, 'bursar.replayed': false, 'bursar.tier': 'pro', 'bursar.tenant': 'acme', 'gen_ai.request.model': 'gpt-4o',
      'gen_ai.response.model': 'gpt-4o-mini', 'gen_ai.provider.name': 'openai', 'gen_ai.usage.input_tokens': 1_000, 'gen_ai.usage.output_tokens': 50, 'gen_ai.usage.cache_read.input_tokens': 200, 'gen_ai.usage.reasoning.output_tokens': 20,
    }) // prettier-ignore
  })

  it('name the model that answered exactly, where metrics know it by the name that was asked for', async () => {
    const { bursar, spans, metric } = traced({}, { prices: priceBook() })
    const decision = allowedOf(await bursar.check({ userId: 'ann', userTier: 'pro', model: 'gpt-4o-mini', provider: 'openai', inputTokens: 1_000, maxOutputTokens: 300 }))
    await decision.settle({ usage: { inputTokens: 1_000, outputTokens: 50 }, model: 'gpt-4o-mini-2024-07-18' })
    expect(spans()[1]?.attributes).toMatchObject({ 'gen_ai.request.model': 'gpt-4o-mini', 'gen_ai.response.model': 'gpt-4o-mini-2024-07-18' })
    expect((await metric('gen_ai.client.token.usage'))[0]?.attributes).toMatchObject({ 'gen_ai.response.model': 'gpt-4o-mini' })
  })

  it('of a refusal say which window refuses, and are no errors', async () => {
    const { bursar, spans } = traced()
    await bursar.check({ userId: 'ann', estimatedCost: 2 })
    const [check] = spans()
    expect(check?.status.code).toBe(SpanStatusCode.UNSET)
    expect(check?.events).toEqual([])
    expect(check?.attributes).toMatchObject({ 'bursar.action': 'BLOCK', 'bursar.denial.code': 'budget', 'bursar.denial.scope.kind': 'user', 'bursar.denial.window': 'daily', 'bursar.denial.unit': 'usd', 'bursar.denial.limit': 1, 'bursar.denial.used': 0, 'bursar.cost.estimated_usd': 2 })
  })

  it('of what fails carry the error and its code', async () => {
    const { bursar, spans } = traced()
    await bursar.check({ userId: 'ann', estimatedCost: -1 }).catch(() => {})
    await bursar.settle('none', { cost: 1 }).catch(() => {})
    await bursar.release('none').catch(() => {})
    expect(spans().map(({ name, status, attributes, events }) => [name, status.code, attributes['error.type'], events.map((event) => event.name)])).toEqual([
      ['bursar.check', SpanStatusCode.ERROR, 'INVALID_AMOUNT', ['exception']],
      ['bursar.settle', SpanStatusCode.ERROR, 'UNKNOWN_HOLD', ['exception']],
      ['bursar.release', SpanStatusCode.ERROR, 'UNKNOWN_HOLD', ['exception']],
    ])
  })

  it('are children of what runs, and parents of what the store does', async () => {
    const store = memoryStore()
    const inStore: (string | undefined)[] = []
    const reserve: typeof store.reserve = (asked) => {
      inStore.push(trace.getActiveSpan()?.spanContext().spanId)
      return store.reserve(asked)
    }
    const { bursar, spans, tracer } = traced({}, { store: storeWith(store, { reserve }) })
    await tracer.startActiveSpan('request', async (parent) => {
      await bursar.guard({ userId: 'ann', estimatedCost: 0.1 }, async () => {
        tracer.startSpan('call').end()
        return { result: 1, cost: 0.1 }
      })
      expect(trace.getActiveSpan()).toBe(parent)
      parent.end()
    })
    const request = spans().find(({ name }) => name === 'request')
    const [check] = spans().filter(({ name }) => name === 'bursar.check')
    expect(spans().map(({ name, parentSpanContext }) => [name, parentSpanContext?.spanId])).toEqual([
      ['bursar.check', request?.spanContext().spanId],
      ['call', request?.spanContext().spanId],
      ['bursar.settle', request?.spanContext().spanId],
      ['request', undefined],
    ])
    expect(inStore).toEqual([check?.spanContext().spanId])
  })

  it('name the session as the conversation', async () => {
    const { bursar, spans } = traced()
    const session = await bursar.session({ userId: 'ann', id: 'run-1', maxCost: 0.5 })
    await session.guard({ estimatedCost: 0.1 }, async () => ({ result: 1, cost: 0.1 }))
    expect(spans().map(({ attributes }) => attributes['gen_ai.conversation.id'])).toEqual(['run-1', 'run-1'])
  })
})

describe('users', () => {
  const traffic = async ({ bursar }: ReturnType<typeof traced>): Promise<void> => {
    await allowedOf(await bursar.check({ userId: 'personal-name', estimatedCost: 0.1 })).settle({ cost: 0.9 })
    await bursar.check({ userId: 'personal-name', estimatedCost: 2 })
    await bursar.check({ userId: 'personal-name', estimatedCost: 0.1, sessionId: 'none' }).catch(() => {})
    await bursar.check({ userId: 'personal-name', estimatedCost: 0.1, scopes: { team: 'personal-name' } } as never).catch(() => {})
  }

  it('are in nothing that is told', async () => {
    const setting = traced()
    await traffic(setting)
    expect(setting.spans().length).toBeGreaterThan(4)
    expect(await setting.all()).not.toContain('personal-name')
  })

  it('are in no message of an error either', async () => {
    const enrich = ({ userId }: { readonly userId: string }): Record<string, never> => {
      if (userId === 'personal-name') throw new Error('there is no profile of personal-name')
      return {}
    }
    const setting = traced({}, { enrich })
    await setting.bursar.check({ userId: 'personal-name', estimatedCost: 0.1 }).catch(() => {})
    await setting.bursar.check({ userId: 'another', estimatedCost: -1 }).catch(() => {})
    expect(await setting.all()).not.toContain('personal-name')
    expect(setting.spans().map(({ status }) => status.message)).toEqual(['Error', expect.stringContaining('estimatedCost')])
  })

  it('are on spans where that is asked for, and in no metric', async () => {
    const setting = traced({ userIds: true })
    await traffic(setting)
    expect(setting.spans().every(({ attributes }) => attributes['user.id'] === 'personal-name')).toBe(true)
    for (const name of ['bursar.decisions', 'bursar.cost', 'bursar.check.duration']) expect(JSON.stringify(await setting.metric(name))).not.toContain('personal-name')
  })
})

describe('metrics', () => {
  it('count decisions, cost and tokens', async () => {
    const { bursar, metric } = traced()
    const decision = allowedOf(await bursar.check({ userId: 'ann', userTier: 'pro', model: 'gpt-4o', provider: 'openai', estimatedCost: 0.5 }))
    const outcome = { usage: { inputTokens: 1_000, outputTokens: 50 }, cost: 0.25 }
    await decision.settle(outcome)
    await decision.settle(outcome)
    await bursar.check({ userId: 'bob', estimatedCost: 2 })
    await bursar.check({ userId: 'bob', estimatedCost: -1 }).catch(() => {})
    expect(await metric('bursar.decisions')).toEqual([
      { attributes: { 'bursar.action': 'ALLOW', 'bursar.tier': 'pro' }, value: 1 },
      { attributes: { 'bursar.action': 'BLOCK', 'bursar.tier': 'free', 'bursar.denial.code': 'budget' }, value: 1 },
    ])
    expect(await metric('bursar.cost')).toEqual([{ attributes: { 'bursar.tier': 'pro' }, value: 0.25 }])
    expect((await metric('bursar.check.duration')).map(({ attributes }) => attributes)).toEqual([{ 'bursar.action': 'ALLOW' }, { 'bursar.action': 'BLOCK' }, { 'error.type': 'INVALID_AMOUNT' }])
    const call = { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': 'gpt-4o', 'gen_ai.response.model': 'gpt-4o' }
    expect(await metric('gen_ai.client.token.usage')).toEqual([
      { attributes: { ...call, 'gen_ai.token.type': 'input' }, value: 1_000 },
      { attributes: { ...call, 'gen_ai.token.type': 'output' }, value: 50 },
    ])
  })

  it('have no model, provider or tier that a client has made up', async () => {
    const { bursar, metric } = traced({}, { onUnknownTier: 'free' } as never)
    for (let index = 0; index < 150; index += 1) {
      const mark = `made-up-${index}`
      await allowedOf(await bursar.check({ userId: mark, userTier: mark, model: mark, provider: mark, estimatedCost: 0.01 })).settle({ cost: 0.01, usage: { inputTokens: 1 } })
    }
    for (const name of ['bursar.decisions', 'bursar.cost', 'gen_ai.client.token.usage']) {
      const points = await metric(name)
      expect(points.length).toBeGreaterThan(0)
      expect(JSON.stringify(points)).not.toContain('made-up')
    }
  })

  it('leave tokens to others where that is asked for', async () => {
    const { bursar, metric } = traced({ operationName: null })
    await allowedOf(await bursar.check({ userId: 'ann', model: 'gpt-4o', estimatedCost: 0.5 })).settle({ usage: { inputTokens: 10 }, cost: 0.1 })
    expect(await metric('gen_ai.client.token.usage')).toEqual([])
    expect(await metric('bursar.cost')).toHaveLength(1)
  })
})

describe('openTelemetry', () => {
  it('says no more once it is taken off', async () => {
    const { bursar, spans, off } = traced()
    off()
    await bursar.check({ userId: 'ann', estimatedCost: 0.1 })
    expect(spans()).toEqual([])
  })

  it.each([{ tracer: 1 }, { tracerProvider: {} }, { meterProvider: {} }])('refuses %j', (options) => {
    expect(() => openTelemetry(engine().bursar, options as never)).toThrowError(expect.objectContaining({ code: 'INVALID_CONFIG' }))
  })
})

describe('attachOpenTelemetry', () => {
  it('attaches where an SDK is registered, and nothing where there is none', async () => {
    expect(await attachOpenTelemetry(engine().bursar)).toBeUndefined()
    const exporter = new InMemorySpanExporter()
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
    const { bursar } = engine()
    const off = await attachOpenTelemetry(bursar)
    await bursar.check({ userId: 'ann', estimatedCost: 0.1 })
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['bursar.check'])
    off?.()
    await bursar.check({ userId: 'ann', estimatedCost: 0.1 })
    expect(exporter.getFinishedSpans()).toHaveLength(1)
  })
})
