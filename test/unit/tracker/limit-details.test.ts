// Limits at their edges: those that only alert, those that end, those that nobody could judge, and what is left of removed ones.

import { describe, expect, it } from 'vitest'
import { Bursar, explainText, InvalidConfigError, InvalidRequestError, memoryStore, observe, type BursarConfig, type Store } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { strictBudgetEnforcement } from '../../../policies/index.js'
import { allOf, allowedOf, deniedOf, entriesOf, START, storeWith } from '../setting.js'

const HOUR = 3_600_000

function world(config: Partial<BursarConfig> = {}) {
  const clock = manualClock(START)
  const store = config.store ?? memoryStore({ clock })
  const bursar = new Bursar({ tiers: { free: { daily: 100 }, pro: { daily: 1_000 } }, defaultTier: 'free', scopes: { team: { '*': {} } }, clock, ...config, store } as BursarConfig) as Bursar<string, string>
  return { clock, store, bursar, limits: bursar.limits, ask: (cost: number | undefined, more: object = {}) => bursar.check({ userId: 'ada', ...(cost !== undefined && { estimatedCost: cost }), ...more }) }
}

describe('thresholds that say nothing', () => {
  it.each([{}, { warn: undefined }, { warn: undefined, degrade: undefined, block: undefined }])('are the defaults: %j', async (thresholds) => {
    const { limits, ask } = world()
    expect((await limits.create({ id: 'watch', scope: { kind: 'global' }, budget: { daily: 1 }, mode: 'alert', thresholds })).thresholds).toBeNull()
    expect(allowedOf(await ask(2)).action).toBe('WARN')
    await limits.change('watch', { mode: 'block', thresholds: { block: 50 } })
    expect((await limits.change('watch', { thresholds })).thresholds).toBeNull()
    expect((await ask(0.1)).allowed).toBe(false)
  })
})

describe('a limit that only alerts', () => {
  it.each([['money', { daily: 1 }], ['tokens', { daily: { tokens: 5 } }]])('of %s asks no estimate of a request', async (_what, budget) => {
    const { limits, ask } = world({ tiers: { free: {} } })
    await limits.create({ id: 'watch', scope: { kind: 'global' }, budget, mode: 'alert' })
    expect((await ask(undefined)).allowed).toBe(true)
    await limits.change('watch', { mode: 'block' })
    await expect(ask(undefined)).rejects.toMatchObject({ code: 'MISSING_ESTIMATE' })
  })

  it('asks none as an observed budget that is shared either', async () => {
    const { ask } = world({ tiers: { free: {} }, global: { daily: 1, policies: [observe(strictBudgetEnforcement)] } } as never)
    expect((await ask(undefined)).allowed).toBe(true)
  })

  it('is told apart in a context, so that no function refuses by it', async () => {
    const { limits, ask } = world({ policies: [strictBudgetEnforcement, ({ windows }) => (windows.some(({ exceeded, alertOnly }) => exceeded && alertOnly !== true) ? 'BLOCK' : 'ALLOW')] })
    await limits.create({ id: 'watch', scope: { kind: 'global' }, budget: { daily: 1 }, mode: 'alert' })
    const decision = allowedOf(await ask(2))
    expect(decision.windows.map(({ scope, alertOnly }) => [scope.kind, alertOnly]).filter(([, alertOnly]) => alertOnly !== undefined)).toEqual([['limit', true]])
    await limits.change('watch', { mode: 'block' })
    expect(deniedOf(await ask(2)).windows.some(({ alertOnly }) => alertOnly === true)).toBe(false)
  })
})

describe('a limit that ends', () => {
  it.each([['monthly', { monthly: 1 }], ['total', { total: 1 }], ['rolling', { rolling: { '5h': 1 } }]])('is over then, whatever its %s window says', async (_what, budget) => {
    const { limits, ask, bursar, clock } = world()
    await limits.create({ id: 'brief', scope: { kind: 'global' }, budget, until: START + 60_000 })
    await allowedOf(await ask(1)).settle({ cost: 1 })
    const denied = deniedOf(await ask(0.5))
    expect(denied.toDenial()).toMatchObject({ retryAfterMs: 60_000, resetsAt: new Date(START + 60_000), message: expect.stringContaining(`It ends at ${new Date(START + 60_000).toISOString()}.`) })
    const { fitting, windows } = await bursar.explain(denied.id)
    expect(fitting.retryAfterMs).toBe(60_000)
    expect(windows.find(({ scope }) => scope.kind === 'limit')).toMatchObject({ resetsAt: new Date(START + 60_000).toISOString() })
    clock.advance(59_999)
    expect((await ask(0.5)).allowed).toBe(false)
    clock.advance(1)
    expect((await ask(0.5)).allowed).toBe(true)
  })

  it('lets through then what never fits in it', async () => {
    const { limits, ask } = world()
    await limits.create({ id: 'brief', scope: { kind: 'global' }, budget: { daily: 1 }, until: START + 60_000 })
    expect(deniedOf(await ask(5)).toDenial()).toMatchObject({ retryAfterMs: 60_000, message: expect.stringContaining('and does not fit before the limit ends.') })
  })

  it('keeps its window where that ends before', async () => {
    const { limits, ask } = world()
    await limits.create({ id: 'long', scope: { kind: 'global' }, budget: { daily: 1 }, until: START + 48 * HOUR })
    await allowedOf(await ask(1)).settle({ cost: 1 })
    expect(deniedOf(await ask(0.5)).toDenial()).toMatchObject({ retryAfterMs: 12 * HOUR, resetsAt: new Date(START + 12 * HOUR), message: expect.stringContaining('It resets at') })
  })

  it.each([['is past', START - 1], ['is now', START], ['is in seconds', Math.floor(START / 1_000) + 3_600]])('is refused where that %s', async (_what, until) => {
    const { limits } = world()
    const given = { id: 'brief', scope: { kind: 'global' }, budget: { daily: 1 } }
    await expect(limits.create({ ...given, until })).rejects.toThrow(/^until: /)
    expect(await limits.list()).toEqual([])
    await limits.create(given)
    await expect(limits.change('brief', { until })).rejects.toThrow(InvalidRequestError)
    expect(await limits.get('brief')).toMatchObject({ until: null })
  })

  it('can be changed in everything else when it has ended', async () => {
    const { limits, clock } = world()
    await limits.create({ id: 'brief', scope: { kind: 'global' }, budget: { daily: 1 }, until: START + HOUR })
    clock.advance(2 * HOUR)
    expect(await limits.change('brief', { description: 'it was', until: START + HOUR })).toMatchObject({ description: 'it was', state: 'expired' })
  })
})

describe('a limit that cannot be', () => {
  it('is one for the users of tenant *', async () => {
    const { limits } = world()
    await expect(limits.create({ scope: { kind: 'user', id: '*', tenant: '*' }, budget: { daily: 1 } })).rejects.toThrow(/^scope\.tenant: /)
    expect(await limits.list()).toEqual([])
  })

  it('is one that its thresholds do not judge: it is refused, and so is a change to it', async () => {
    const { limits } = world()
    await expect(limits.create({ id: 'odd', scope: { kind: 'global' }, budget: { daily: 1 }, thresholds: { warn: 0 } })).rejects.toThrow(InvalidConfigError)
    await limits.create({ id: 'odd', scope: { kind: 'global' }, budget: { daily: 1 } })
    await expect(limits.change('odd', { thresholds: { warn: 0 } })).rejects.toThrow(InvalidConfigError)
    expect(await limits.get('odd')).toMatchObject({ thresholds: null })
  })
})

describe('members of a limit of each', () => {
  it.each([
    ['team', { kind: 'team', id: '*' }, { scopes: { team: 'nobody configured it' } }, 'nobody configured it', undefined],
    ['user', { kind: 'user', id: '*' }, { userId: 'eve', tenant: 'acme' }, 'eve', 'acme'],
    ['tenant', { kind: 'tenant', id: '*' }, { tenant: 'acme' }, 'acme', 'acme'],
    ['tier', { kind: 'tier', id: '*' }, { userTier: 'pro' }, 'pro', undefined],
  ])('are all told of: %s', async (_what, scope, who, member, tenant) => {
    const { limits, ask } = world()
    await limits.create({ id: 'a/each', scope, budget: { total: 1 } })
    await allowedOf(await ask(1, who)).settle({ cost: 1 })
    expect(await limits.progress('a/each')).toMatchObject([{ member, tenant, spent: 1 }])
    expect(await limits.triggered({ budgets: false })).toMatchObject([{ limitId: 'a/each', member, thresholdPct: 100 }])
  })

  it('are found by what the configuration names where the store cannot be audited', async () => {
    const clock = manualClock(START)
    const { limits, ask } = world({ clock, scopes: { team: { search: {} } }, store: storeWith(memoryStore({ clock }), { auditor: undefined } as Partial<Store>) } as never)
    await limits.create({ id: 'each', scope: { kind: 'team', id: '*' }, budget: { daily: 1 } })
    allowedOf(await ask(0.5, { scopes: { team: 'search' } }))
    expect(await limits.progress('each')).toMatchObject([{ member: 'search', held: 0.5 }])
  })
})

describe('a removed limit', () => {
  it('leaves no record, and nothing to those that come after it', async () => {
    const { limits, ask, store } = world()
    for (const id of ['a', 'b', 'a', 'b']) {
      await limits.create({ id, scope: { kind: 'global' }, budget: { total: 1 } })
      expect(await limits.progress(id)).toMatchObject([{ limitId: id, spent: 0 }])
      await allowedOf(await ask(1)).settle({ cost: 1 })
      expect((await ask(1)).allowed).toBe(false)
      await limits.remove(id)
    }
    expect(await allOf(store.registry.list('limit'))).toEqual([])
    expect(await allOf(store.registry.list('limits'))).toHaveLength(1)
  })
})

describe('a change whose line in the ledger fails', () => {
  it('stands, and the error says which limit it is of', async () => {
    const clock = manualClock(START)
    const inner = memoryStore({ clock })
    let fails = true
    const append: Store['ledger']['append'] = (...entries) => {
      if (fails) throw new Error('disk full')
      return inner.ledger.append(...entries)
    }
    const { limits } = world({ clock, store: storeWith(inner, { ledger: { append, entries: () => inner.ledger.entries(), totals: () => inner.ledger.totals() } }) })
    const error: Error = await limits.create({ scope: { kind: 'global' }, budget: { daily: 1 } }).then(() => new Error('made'), (failure: Error) => failure)
    const [made] = await limits.list()
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', message: expect.stringContaining(`limit "${made?.id}" was made`) })
    await expect(limits.change(made?.id ?? '', { budget: { daily: 2 } })).rejects.toThrow(`limit "${made?.id}" was changed`)
    await expect(limits.tenants.set('acme', { models: ['m'] })).rejects.toThrow('tenant "acme" was set')
    fails = false
    await limits.remove(made?.id ?? '')
    expect((await entriesOf({ entries: () => inner.ledger.entries() })).map(({ reason }) => reason)).toEqual(['limit removed'])
  })
})

describe('a refusal by a limit', () => {
  it('says from what percentage on it refuses what is less than the whole of it', async () => {
    const { limits, ask } = world()
    await limits.create({ id: 'half', scope: { kind: 'global' }, budget: { daily: 10 }, thresholds: { block: 50 } })
    expect(deniedOf(await ask(6)).reason).toContain('By itself it reaches 50 % of it, and never fits.')
    expect(deniedOf(await ask(11)).reason).toContain('By itself it is more than the whole budget, and never fits.')
  })

  it('shows no control characters of its description', async () => {
    const { limits, ask } = world()
    await limits.create({ id: 'red', scope: { kind: 'global' }, budget: { daily: 1 }, description: '\u001b[31mred\nline\u202e' })
    expect(deniedOf(await ask(2)).toDenial().message).toContain('limit "red" (everybody: ·[31mred·line·)')
  })

  it('to a dearer model says whom it covers', async () => {
    const { limits, ask, bursar } = world({ ladder: { big: 'small' }, estimate: (_request, model) => (model === 'big' ? 5 : 1) })
    await limits.create({ id: 'cap', scope: { kind: 'user', id: '*' }, budget: { daily: 10 }, thresholds: { degrade: 50 } })
    const decision = allowedOf(await ask(undefined, { model: 'big' }))
    expect(decision.reason).toContain('limit "cap" (each user)')
    expect(explainText(await bursar.explain(decision.id))).toContain('limit "cap" (each user) has no room for it')
  })
})

describe('the cap of a session', () => {
  it('leaves a line where it is raised, and none where it already is what it is raised to', async () => {
    const { bursar } = world()
    const session = await bursar.session({ userId: 'ada', maxCost: 1 })
    await session.raiseCostCap(1)
    await session.raiseCostCap(2)
    await session.raiseCostCap(2)
    expect((await entriesOf(bursar.tracker)).filter(({ reason }) => reason === 'session raised')).toMatchObject([{ metadata: { maxCost: 2 } }])
  })
})
