// Who watches an engine hears of every check and every ending, and can change none of them.

import { describe, expect, it, vi } from 'vitest'
import { memoryStore, StoreUnavailableError, type Bursar, type Decision, type Settlement, type Telemetry, type Watch } from '../../../src/index.js'
import { allowedOf, storeWith } from '../setting.js'
import { engine } from './kit.js'

/** Writes down what it hears. */
function noting(bursar: Bursar<string, string>) {
  const heard: unknown[] = []
  const watch = <Result, More>(what: string, asked: object): Watch<Result, More> => {
    heard.push([`${what} begins`, asked])
    return { ended: (result, more) => heard.push([`${what} ends`, result, more]), failed: (error) => heard.push([`${what} fails`, (error as { code?: string }).code]) }
  }
  const telemetry: Telemetry = { check: (asked) => watch('check', asked), settle: (asked) => watch('settle', asked), release: (asked) => watch('release', asked), extend: (asked) => watch('extend', asked) }
  const off = bursar.instrument(telemetry)
  const words = (): string[] => heard.map((line) => (line as [string])[0])
  return { heard, off, words }
}

describe('a telemetry', () => {
  it('hears of a check with what was asked, and of its decision with whose it is', async () => {
    const { bursar } = engine()
    const { heard } = noting(bursar)
    const decision = await bursar.check({ userId: 'ann', tenant: 'acme', userTier: 'pro', model: 'gpt-4o', provider: 'openai', estimatedCost: 0.5, maxOutputTokens: 100 })
    expect(heard).toEqual([
      ['check begins', { userId: 'ann', tenant: 'acme', sessionId: undefined, model: 'gpt-4o', provider: 'openai', estimatedCost: 0.5, inputTokens: undefined, maxOutputTokens: 100 }],
      ['check ends', decision, expect.objectContaining({ user: { userId: 'ann', tenant: 'acme' }, tier: 'pro' })],
    ])
  })

  it('hears of a refusal as a result, and of bad input as a failure', async () => {
    const { bursar } = engine()
    const { words, heard } = noting(bursar)
    expect((await bursar.check({ userId: 'ann', estimatedCost: 2 })).allowed).toBe(false)
    await expect(bursar.check({ userId: '', estimatedCost: 1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(bursar.check(undefined as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    expect(words()).toEqual(['check begins', 'check ends', 'check begins', 'check fails', 'check begins', 'check fails'])
    expect(heard.at(-1)).toEqual(['check fails', 'INVALID_REQUEST'])
  })

  it('hears of a settle by the decision, with the tokens and the model that answered', async () => {
    const { bursar } = engine()
    const decision = allowedOf(await bursar.check({ userId: 'ann', tenant: 'acme', model: 'gpt-4o', provider: 'openai', estimatedCost: 0.5, sessionId: undefined }))
    const { heard } = noting(bursar)
    const settlement = await decision.settle({ usage: { inputTokens: 1_000, outputTokens: 50 }, model: 'gpt-4o-mini' })
    expect(heard).toEqual([
      ['settle begins', { id: decision.id }],
      ['settle ends', settlement, { user: { userId: 'ann', tenant: 'acme' }, tier: 'free', sessionId: undefined, requestedModel: 'gpt-4o', model: 'gpt-4o-mini', answeredModel: 'gpt-4o-mini', provider: 'openai', usage: { inputTokens: 1_000, outputTokens: 50 } }],
    ])
  })

  it('hears of a settle by the id: what the store knows of it', async () => {
    const { bursar } = engine()
    const decision = allowedOf(await bursar.check({ userId: 'ann', tenant: 'acme', userTier: 'pro', model: 'gpt-4o', estimatedCost: 0.5 }))
    const { heard } = noting(bursar)
    await bursar.settle(decision.id, { cost: 0.25 })
    expect(heard[1]).toMatchObject(['settle ends', { cost: 0.25 }, { user: { userId: 'ann', tenant: 'acme' }, tier: 'pro', requestedModel: 'gpt-4o', usage: {} }])
    await expect(bursar.settle('none', { cost: 1 })).rejects.toMatchObject({ code: 'UNKNOWN_HOLD' })
    expect(heard.at(-1)).toEqual(['settle fails', 'UNKNOWN_HOLD'])
  })

  it('hears of releases and extensions, by the decision and by its id', async () => {
    const { bursar } = engine()
    const decision = allowedOf(await bursar.check({ userId: 'ann', estimatedCost: 0.1 }))
    const { heard, words } = noting(bursar)
    const until = await decision.extend('20m')
    await bursar.extend(decision.id, '30m')
    await decision.release()
    await bursar.release(decision.id)
    expect(words()).toEqual(['extend begins', 'extend ends', 'extend begins', 'extend ends', 'release begins', 'release ends', 'release begins', 'release ends'])
    expect(heard[1]).toEqual(['extend ends', until, undefined])
  })

  it('hears what guards, streams, sessions, identities and disposals do', async () => {
    const { bursar } = engine()
    const { words, heard } = noting(bursar)
    await bursar.guard({ userId: 'ann', estimatedCost: 0.1 }, async () => ({ result: 'x', cost: 0.05 }))
    expect(words()).toEqual(['check begins', 'check ends', 'settle begins', 'settle ends'])
    await expect(bursar.guard({ userId: 'ann', estimatedCost: 0.1 }, async () => { throw new Error('down') })).rejects.toThrow('down')
    expect(words().slice(4)).toEqual(['check begins', 'check ends', 'release begins', 'release ends'])
    const stream = await bursar.stream({ userId: 'ann', model: 'gpt-4o', inputTokens: 10, maxOutputTokens: 10 }, async function* () { yield 'some text' } as never)
    for await (const _piece of stream) continue
    expect(words().slice(8)).toEqual(['check begins', 'check ends', 'settle begins', 'settle ends'])
    const session = await bursar.session({ userId: 'ann', id: 'run', maxCost: 0.5 })
    heard.length = 0
    await session.guard({ estimatedCost: 0.1 }, async () => ({ result: 'x', cost: 0.05 }))
    expect(words()).toEqual(['check begins', 'check ends', 'settle begins', 'settle ends'])
    expect(heard[0]).toMatchObject(['check begins', { userId: 'ann', sessionId: 'run' }])
    expect(heard[3]).toMatchObject(['settle ends', { cost: 0.05 }, { sessionId: 'run' }])
    heard.length = 0
    await bursar.runAs({ userId: 'bob', tenant: 'acme' }, async () => allowedOf(await bursar.check({ estimatedCost: 0.1 })).abandon())
    expect(heard[0]).toMatchObject(['check begins', { userId: 'bob', tenant: 'acme' }])
    expect(words()).toEqual(['check begins', 'check ends', 'release begins', 'release ends'])
  })

  it('hears of what is decided and settled without the store', async () => {
    const reserve = (): never => {
      throw new StoreUnavailableError('away', { asked: false })
    }
    const { bursar } = engine({ store: storeWith(memoryStore(), { reserve }), onStoreError: 'allow' })
    const { heard, words } = noting(bursar)
    const decision = allowedOf(await bursar.check({ userId: 'ann', userTier: 'pro', estimatedCost: 0.1 }))
    expect(decision.enforcedBy).toBe('none')
    await decision.settle({ cost: 0.2, usage: { inputTokens: 5 } })
    await allowedOf(await bursar.check({ userId: 'ann', estimatedCost: 0.1 })).release()
    expect(words()).toEqual(['check begins', 'check ends', 'settle begins', 'settle ends', 'check begins', 'check ends', 'release begins', 'release ends'])
    expect(heard[3]).toMatchObject(['settle ends', { cost: 0.2 }, { user: { userId: 'ann' }, tier: 'pro', usage: { inputTokens: 5 } }])
    await bursar.close()
  })

  it('is heard with others, in the order in which they came, and no more once it is taken off', async () => {
    const { bursar } = engine()
    const said: string[] = []
    const one = { check: () => ({ within: (run: () => Promise<Decision>) => (said.push('one around'), run()), ended: () => said.push('one') }) }
    const offFirst = bursar.instrument(one)
    const offSecond = bursar.instrument({ check: () => ({ within: (run) => (said.push('two around'), run()), ended: () => said.push('two') }) })
    const offAgain = bursar.instrument(one)
    await bursar.check({ userId: 'ann', estimatedCost: 0 })
    expect(said).toEqual(['one around', 'two around', 'one around', 'one', 'two', 'one'])
    said.length = 0
    offFirst()
    offFirst()
    await bursar.check({ userId: 'ann', estimatedCost: 0 })
    expect(said).toEqual(['one around', 'two around', 'two', 'one'])
    said.length = 0
    offSecond()
    offAgain()
    await bursar.check({ userId: 'ann', estimatedCost: 0 })
    expect(said).toEqual([])
  })

  it.each([undefined, null, 1, 'x', {}, { check: 1 }, { chek: () => undefined }])('is refused where it is none: %j', (telemetry) => {
    expect(() => engine().bursar.instrument(telemetry as never)).toThrowError(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })
})

const boom = (): never => {
  throw new Error('the telemetry is broken')
}
const rejects = async (): Promise<never> => boom()

const BROKEN: [string, Telemetry][] = [
  ['throws as it begins', { check: boom, settle: boom, release: boom, extend: boom }],
  ['rejects as it begins', { check: rejects as never, settle: rejects as never, release: rejects as never }],
  ['gives something else', { check: () => 'x' as never, settle: () => 1 as never, release: () => null as never }],
  ['throws around it, before it', { check: () => ({ within: boom }), settle: () => ({ within: boom }), release: () => ({ within: boom }) }],
  ['throws around it, after it', { check: () => ({ within: (run) => (void run(), boom()) }), settle: () => ({ within: (run) => (void run(), boom()) }), release: () => ({ within: (run) => (void run(), boom()) }) }],
  ['runs it twice', { check: () => ({ within: (run) => [run(), run()] }), settle: () => ({ within: (run) => [run(), run()] }), release: () => ({ within: (run) => [run(), run()] }) }],
  ['runs it never', { check: () => ({ within: () => undefined }), settle: () => ({ within: () => undefined }), release: () => ({ within: () => undefined }) }],
  ['gives another promise', { check: () => ({ within: async () => boom() }), settle: () => ({ within: async () => 'other' }) }],
  ['throws at the end', { check: () => ({ ended: boom, failed: boom }), settle: () => ({ ended: boom, failed: boom }), release: () => ({ ended: boom, failed: boom }) }],
  ['rejects at the end', { check: () => ({ ended: rejects, failed: rejects }), settle: () => ({ ended: rejects, failed: rejects }), release: () => ({ ended: rejects, failed: rejects }) }],
]

describe('a telemetry that fails', () => {
  it.each(BROKEN)('changes nothing: it %s', async (_what, telemetry) => {
    const outcomes = async (watched: boolean): Promise<unknown> => {
      const { bursar } = engine()
      const heard: Settlement[] = []
      if (watched) {
        bursar.instrument(telemetry)
        bursar.instrument({ settle: () => ({ ended: (settlement) => heard.push(settlement) }) })
      }
      const decision = allowedOf(await bursar.check({ userId: 'ann', estimatedCost: 0.5, idempotencyKey: 'k' }))
      const settlement = await decision.settle({ cost: 0.4 })
      const other = allowedOf(await bursar.check({ userId: 'ann', estimatedCost: 0.1, idempotencyKey: 'k2' }))
      await other.release()
      const refused = await bursar.check({ userId: 'ann', estimatedCost: 2, idempotencyKey: 'k3' })
      const error: unknown = await bursar.check({ userId: 'ann', estimatedCost: -1 }).catch((thrown: unknown) => thrown)
      const again: unknown = await bursar.settle('k', { cost: 0.7 }).catch((thrown: unknown) => thrown)
      if (watched) expect(heard).toEqual([settlement])
      return { decision: [decision.action, decision.replayed], settlement, refused: refused.action, errors: [error, again].map((each) => (each as { code: string }).code), summary: await bursar.tracker.getUserSummary('ann') }
    }
    expect(await outcomes(true)).toEqual(await outcomes(false))
  })

  it('is a warning, once, and no unhandled rejection', async () => {
    const warn = vi.fn()
    const { bursar } = engine({ logger: { debug: () => {}, warn } })
    bursar.instrument({ check: () => ({ ended: rejects }) })
    bursar.instrument({ check: boom })
    for (let time = 0; time < 3; time += 1) await bursar.check({ userId: 'ann', estimatedCost: 0 })
    await Promise.resolve()
    expect(warn.mock.calls.filter(([line]) => String(line).includes('telemetry'))).toHaveLength(1)
    expect(warn.mock.calls[0]?.[0]).toContain('the telemetry is broken')
  })

  it('does not take a rejected check for a failure of its own', async () => {
    const warn = vi.fn()
    const { bursar } = engine({ logger: { debug: () => {}, warn } })
    bursar.instrument({ check: () => ({ within: (run) => run() }) })
    await expect(bursar.check({ userId: 'ann', estimatedCost: -1 })).rejects.toMatchObject({ code: 'INVALID_AMOUNT' })
    expect(warn).not.toHaveBeenCalled()
  })
})
