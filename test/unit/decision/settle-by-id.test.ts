// Usage that is settled by its id alone, in a process that did not make the decision: it costs what `decision.settle` would have charged.

import { describe, expect, it } from 'vitest'
import { gracefulDegradation } from '../../../policies/index.js'
import { Bursar, memoryStore, PriceBook, type AllowedDecision, type BursarConfig, type BursarEvents, type CatalogEntry, type CheckRequest, type Outcome, type PriceCatalog, type Store } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allowedOf, entriesOf, storeWith } from '../setting.js'

// USD for a million tokens. Two providers sell `large`; from the 16th on it is dearer.
const sold: Readonly<Record<string, CatalogEntry['prices']>> = {
  'openai/large': [{ input: 10, output: 40 }, { input: 30, output: 90, from: '2026-01-16' }],
  'azure/large': [{ input: 20, output: 80 }, { input: 50, output: 99, from: '2026-01-16' }],
  'openai/small': [{ input: 1, output: 4 }],
}
const catalog: PriceCatalog = {
  find: (model, provider = 'openai') => {
    const prices = sold[`${provider}/${model}`]
    return prices && { provider, model, prices }
  },
  explain: () => 'The catalog has nothing near.',
  providersOf: (model) => Object.keys(sold).flatMap((name) => (name.endsWith(`/${model}`) ? [name.split('/')[0] as string] : [])),
}
const prices = new PriceBook({ tenants: { acme: { large: { input: 5, output: 20 } } }, aliases: { 'our-deployment': 'large' } }, catalog)
const usage = { inputTokens: 1_000, outputTokens: 100 }

/** Two processes on one store, and a clock for all three. */
function twoProcesses(config: Partial<BursarConfig> = {}, change: (store: Store) => Store = (store) => store) {
  const clock = manualClock('2026-01-15T12:00:00Z')
  const store = change(memoryStore({ clock }))
  const open = (): Bursar => new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock, prices, store, ...config } as BursarConfig)
  const here = open()
  const ask = async (request: Partial<CheckRequest> = {}): Promise<AllowedDecision> => allowedOf(await here.check({ userId: 'u', model: 'large', estimatedCost: 0.01, holdTtl: '10m', ...request } as CheckRequest))
  return { clock, here, there: open(), ask }
}

describe('a settle of usage by its id', () => {
  it.each<[string, Partial<CheckRequest>, Outcome, number]>([
    ['the model', {}, { usage }, 0.014],
    ['the provider', { provider: 'azure' }, { usage }, 0.028],
    ['the tenant', { tenant: 'acme' }, { usage }, 0.007],
    ['the model that answered', {}, { usage, model: 'small' }, 0.0014],
    ['the provider that answered', {}, { usage, provider: 'azure' }, 0.028],
    ['another name of the model', { tenant: 'acme' }, { usage, model: 'our-deployment' }, 0.007],
  ])('has the price of %s, as a settle by the decision has it', async (_of, request, outcome, cost) => {
    const [byId, byDecision] = [twoProcesses(), twoProcesses()]
    const { id } = await byId.ask(request)
    const settled = await byId.there.settle(id, outcome)
    const decision = await byDecision.ask(request)
    expect(settled).toEqual(await decision.settle(outcome))
    expect(settled.cost).toBe(cost)
    const [here, there] = await Promise.all([byId, byDecision].map(async ({ here: bursar }) => (await entriesOf(bursar.tracker))[0] as NonNullable<unknown>))
    expect(here).toEqual({ ...there, id: expect.any(String) as string, decisionId: id, details: { priceVersion: expect.any(String) as string, usage } })
    expect((there as { details: object }).details).toMatchObject({ ...(here as { details: object }).details })
  })

  it('has the price of the moment of the decision, and a repeat after it has changed is a replay, whoever makes it', async () => {
    const { clock, here, there, ask } = twoProcesses()
    const first = await ask({ idempotencyKey: 'first', provider: 'azure', holdTtl: '1d' })
    const second = await ask({ idempotencyKey: 'second', provider: 'azure', holdTtl: '1d' })
    clock.set(new Date('2026-01-16T11:00:00Z'))
    expect(await there.settle('first', { usage })).toMatchObject({ cost: 0.028, overage: 0.018, replayed: false })
    expect(await second.settle({ usage })).toMatchObject({ cost: 0.028, replayed: false })
    clock.advance('20h')
    for (const again of [there.settle('first', { usage }), here.settle('first', { usage }), first.settle({ usage }), there.settle('second', { usage })]) {
      expect(await again).toMatchObject({ cost: 0.028, replayed: true })
    }
    await expect(there.settle('first', { usage: { ...usage, outputTokens: 101 } })).rejects.toMatchObject({ code: 'ALREADY_ENDED', state: 'settled' })
    expect(await here.tracker.getUserCost('u')).toBe(0.056)
  })

  it('has the price of the cheaper model, where that was decided', async () => {
    const config = { policies: [gracefulDegradation], ladder: { large: 'small' }, tiers: { free: { daily: 0.1 } } } as never
    const { here, there, ask } = twoProcesses(config)
    await (await ask({ estimatedCost: 0.085 })).settle({ cost: 0.085 })
    for (const provider of [undefined, 'azure']) {
      const decision = await ask({ estimatedCost: undefined, inputTokens: 1_000, maxOutputTokens: 100, ...(provider !== undefined && { provider }) })
      expect([decision.action, decision.model]).toEqual(['DEGRADE', 'small'])
      expect(await there.settle(decision.id, { usage })).toMatchObject({ cost: 0.0014, overage: 0 })
    }
    expect((await entriesOf(here.tracker)).at(-1)).toMatchObject({ requestedModel: 'large', model: 'small' })
  })

  it('is announced with its overage, and with the model that answered instead', async () => {
    const { there, ask } = twoProcesses()
    const heard: Partial<Record<keyof BursarEvents, unknown>> = {}
    for (const name of ['settled', 'overage', 'model-mismatch'] as const) there.on(name, (event: unknown) => void (heard[name] = event))
    const [first, second] = [await ask(), await ask()]
    await there.settle(first.id, { usage, model: 'small' })
    expect(heard).toMatchObject({ settled: { id: first.id, cost: 0.0014, model: 'small' }, 'model-mismatch': { decided: 'large', answered: 'small' } })
    await there.settle(second.id, { usage })
    expect(heard).toMatchObject({ settled: { id: second.id, cost: 0.014, model: 'large', overage: 0.004 }, overage: { overage: 0.004 } })
  })

  it('corrects what an expiry has charged', async () => {
    const { clock, here, there, ask } = twoProcesses()
    const expired: unknown[] = []
    there.on('hold-expired', (event) => expired.push(event))
    const { id } = await ask()
    clock.advance('11m')
    expect(await there.settle(id, { usage })).toMatchObject({ cost: 0.014 })
    expect(expired).toHaveLength(1)
    expect(await here.tracker.getUserCost('u')).toBe(0.014)
  })

  it('is refused for an id that stands for no hold, or for one that was released', async () => {
    const { here, there, ask } = twoProcesses()
    await expect(there.settle('nobody', { usage })).rejects.toMatchObject({ code: 'UNKNOWN_HOLD', id: 'nobody' })
    const { id } = await ask()
    expect(await here.release(id)).toEqual({ was: 'open' })
    expect(await there.release(id)).toEqual({ was: 'released' })
    await expect(there.settle(id, { usage })).rejects.toMatchObject({ code: 'ALREADY_ENDED', state: 'released' })
    expect(await entriesOf(here.tracker)).toMatchObject([{ kind: 'released' }])
  })

  it.each<[unknown, string]>([
    [{ usage: { inputTokens: -1 } }, 'INVALID_AMOUNT'],
    [{ usage: { prompt_tokens: 1 } }, 'INVALID_REQUEST'],
    [{ usage: 5 }, 'INVALID_REQUEST'],
    [{ usage, model: '' }, 'INVALID_REQUEST'],
    [{ usage, price: 1 }, 'INVALID_REQUEST'],
  ])('with %j is refused before the store is asked', async (outcome, code) => {
    const { there } = twoProcesses({}, (store) => storeWith(store, { opened: () => expect.unreachable() }))
    await expect(there.settle('nobody', outcome as Outcome)).rejects.toMatchObject({ code: expect.stringContaining(code) as string })
  })

  it('of a model without a price is refused, and the hold stands', async () => {
    const { here, there, ask } = twoProcesses()
    const { id } = await ask()
    await expect(there.settle(id, { usage, model: 'unheard-of' })).rejects.toMatchObject({ code: 'UNPRICED_MODEL' })
    expect(await here.tracker.getUserSummary('u')).toMatchObject({ totalCost: 0, held: 0.01 })
  })

  it('asks a store nothing about a cost, also one that the provider has reported', async () => {
    const { there, ask } = twoProcesses({}, (store) => storeWith(store, { opened: () => expect.unreachable() }))
    const decisions = [await ask(), await ask(), await ask()] as const
    expect(await there.settle(decisions[0].id, { cost: 0.02, model: 'large' })).toMatchObject({ cost: 0.02 })
    expect(await there.settle(decisions[1].id, { usage: { ...usage, cost: 0.03 } })).toMatchObject({ cost: 0.03 })
    expect(await decisions[2].settle({ usage })).toMatchObject({ cost: 0.014 })
  })

  it('is refused on a store that cannot say what an id was opened with, with the way to settle it', async () => {
    const { here, there, ask } = twoProcesses({}, (store) => storeWith(store, { opened: undefined }))
    const { id } = await ask({ tenant: 'acme' })
    await expect(there.settle(id, { usage })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('bursar.prices.cost(usage') as string })
    expect(await here.tracker.getUserSummary({ userId: 'u', tenant: 'acme' })).toMatchObject({ totalCost: 0, held: 0.01 })
  })
})
