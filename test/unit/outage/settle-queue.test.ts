// Endings in an outage: none is lost, each is told once, and what cannot be told is said aloud.

import { spawn, type ChildProcess } from 'node:child_process'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ClosedError, memoryStore, type AllowedDecision, type SettleRequest } from '../../../src/index.js'
import { EndingFile } from '../../../src/outage/ending-file.js'
import type { Ending } from '../../../src/outage/ending.js'
import type { ScopeTerms, Settled } from '../../../src/store/index.js'
import { plainScopes, scopesFromPlain } from '../../../src/outage/terms-text.js'
import { Lifetime, subscriptionCalendarFor } from '../../../src/time/index.js'
import { teamOf, userOf, windowOf } from '../../../src/testing/contract/kit.js'
import { manualClock } from '../../../src/testing/index.js'
import { strictBudgetEnforcement } from '../../../policies/index.js'
import { allowedOf, deniedOf, entriesOf, START, storeWith } from '../setting.js'
import { engine, fakeTimers, settled } from './fickle-store.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-queue-'))
let files = 0
const newPath = () => join(folder, `endings-${(files += 1)}.jsonl`)

beforeEach(fakeTimers)
afterEach(() => void vi.useRealTimers())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Decisions that are allowed, before the store goes away. */
async function allow(count: number, ask: (more?: object) => Promise<unknown>): Promise<AllowedDecision[]> {
  const decisions: AllowedDecision[] = []
  for (let call = 0; call < count; call += 1) decisions.push(allowedOf((await ask({ estimatedCost: 0.1 })) as AllowedDecision))
  return decisions
}

describe('a settle in an outage', () => {
  it('waits, says so, and is told once when the store is back', async () => {
    const { bursar, fickle, ask, pass } = engine()
    const heard: unknown[] = []
    bursar.on('settled', ({ id, cost, overage }) => heard.push({ id, cost, overage }))
    const decision = allowedOf(await ask())
    fickle.mood = 'refuses'
    expect(await decision.settle({ cost: 1.5 })).toEqual({ cost: 1.5, overage: 0.5, replayed: false, queued: true, exact: { costMicrocents: 150_000_000, overageMicrocents: 50_000_000 } })
    expect(heard).toEqual([{ id: decision.id, cost: 1.5, overage: 0.5 }])
    fickle.mood = 'well'
    await pass(5_000)
    expect(await bursar.tracker.getUserSummary('ada')).toMatchObject({ totalCost: 1.5, held: 0 })
    expect((await entriesOf(bursar.tracker)).filter(({ kind }) => kind === 'settled')).toHaveLength(1)
    expect(await decision.settle({ cost: 1.5 })).toMatchObject({ replayed: true })
    await pass(60_000)
    expect(fickle.count('settle')).toBe(3)
  })

  it('waits by id too, for the process that did not decide', async () => {
    const { bursar, fickle, ask, pass } = engine()
    const { id } = allowedOf(await ask())
    fickle.mood = 'refuses'
    expect(await bursar.settle(id, { cost: 0.3 })).toMatchObject({ queued: true, overage: 0 })
    fickle.mood = 'well'
    await pass(5_000)
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.3)
  })

  it('that times out is charged once, though its reply was lost', async () => {
    const { bursar, fickle, ask, pass } = engine()
    const decision = allowedOf(await ask())
    fickle.moods.set('settle', 'loses replies')
    const lost = decision.settle({ cost: 0.4 })
    await pass(1_000)
    expect(await lost).toMatchObject({ queued: true })
    fickle.moods.clear()
    await pass(10_000)
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.4)
    expect((await entriesOf(bursar.tracker)).filter(({ kind }) => kind !== 'denied')).toHaveLength(1)
  })

  it('keeps ONE-ENDING while it waits', async () => {
    const { bursar, fickle, ask, pass } = engine()
    const [first, second, third] = (await allow(3, ask)) as [AllowedDecision, AllowedDecision, AllowedDecision]
    fickle.mood = 'refuses'
    await first.settle({ cost: 0.05 })
    expect(await first.settle({ cost: 0.05 })).toMatchObject({ queued: true, replayed: true })
    await expect(first.settle({ cost: 0.06 })).rejects.toMatchObject({ code: 'ALREADY_ENDED', state: 'settled' })
    await first.release()
    await second.release()
    await second.release()
    await expect(second.settle({ cost: 0.05 })).rejects.toMatchObject({ code: 'ALREADY_ENDED', state: 'released' })
    await third[Symbol.asyncDispose]()
    await expect(third.extend('1m')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    fickle.mood = 'well'
    await pass(5_000)
    expect(await bursar.tracker.getUserSummary('ada')).toMatchObject({ totalCost: 0.05, held: 0 })
  })

  it('of a guarded call gives the answer', async () => {
    const { bursar, fickle, pass, said } = engine()
    const answer = await bursar.guard({ userId: 'ada', estimatedCost: 1 }, async () => {
      fickle.mood = 'refuses'
      return { result: 'paid for', cost: 0.7 }
    })
    expect(answer).toBe('paid for')
    expect(said).toHaveLength(1)
    fickle.mood = 'well'
    await pass(5_000)
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.7)
  })

  it('comes before new requests are admitted', async () => {
    const { fickle, ask, pass } = engine()
    const [decision] = (await allow(1, ask)) as [AllowedDecision]
    fickle.mood = 'refuses'
    await decision.settle({ cost: 9.9 })
    fickle.mood = 'well'
    await pass(5_000)
    expect(deniedOf(await ask({ estimatedCost: 0.2 })).code).toBe('budget')
  })

  it('takes back a hold that a policy refused after it', async () => {
    const { bursar, fickle, ask, pass } = engine({ policies: [strictBudgetEnforcement, () => 'BLOCK'] })
    fickle.moods.set('release', 'refuses')
    expect(deniedOf(await ask()).code).toBe('policy')
    fickle.moods.clear()
    await pass(5_000)
    expect((await bursar.tracker.getUserSummary('ada')).held).toBe(0)
  })
})

describe('the replay', () => {
  it('sends in the order in which the calls ended', async () => {
    const { fickle, ask, pass } = engine()
    const decisions = (await allow(90, ask)).reverse()
    fickle.mood = 'refuses'
    for (const decision of decisions) await decision.settle({ cost: 0.01 })
    fickle.mood = 'well'
    fickle.asked = []
    await pass(5_000)
    const sent = fickle.asked.filter(({ operation }) => operation === 'settle').map(({ argument }) => (argument as SettleRequest).id)
    expect(sent).toEqual(decisions.map(({ id }) => id))
  })

  it('interrupted midway goes on where it was, and charges nothing twice', async () => {
    const { bursar, fickle, ask, pass } = engine()
    const decisions = await allow(80, ask)
    fickle.mood = 'refuses'
    for (const decision of decisions) await decision.settle({ cost: 0.01 })
    fickle.mood = 'well'
    fickle.countdown = { left: 30, then: 'loses replies' }
    await pass(5_000)
    fickle.mood = 'refuses'
    await pass(20_000)
    fickle.mood = 'well'
    await pass(5_000)
    expect(await bursar.tracker.getUserSummary('ada')).toMatchObject({ totalCost: 0.8, held: 0 })
    expect((await entriesOf(bursar.tracker)).filter(({ kind }) => kind === 'settled')).toHaveLength(80)
  })

  it('records what the store does not know, under its id, in the windows of then', async () => {
    const { bursar, fickle, clock, ask, pass } = engine()
    const decision = allowedOf(await ask({ estimatedCost: 1, model: 'large' }))
    fickle.mood = 'refuses'
    await decision.settle({ cost: 0.6, tokens: 50 })
    // The store comes back without its data.
    fickle.inner = memoryStore({ clock })
    fickle.mood = 'well'
    await pass(5_000)
    const [entry] = (await entriesOf(bursar.tracker)).filter(({ kind }) => kind === 'recorded')
    expect(entry).toMatchObject({ decisionId: decision.id, userId: 'ada', microcents: 60_000_000, tokens: 50 })
    expect((await bursar.tracker.getPeriodCosts('ada', 'daily')).cost).toBe(0.6)
    // Its id is known now: a repeat is one.
    expect(await decision.settle({ cost: 0.6, tokens: 50 })).toMatchObject({ replayed: true })
  })

  it('says aloud what a rule refuses, and drops it', async () => {
    const { bursar, fickle, inner, said, ask, pass } = engine()
    const [released, unknown] = (await allow(2, ask)) as [AllowedDecision, AllowedDecision]
    fickle.mood = 'refuses'
    await released.settle({ cost: 0.05 })
    await bursar.settle('nobody', { cost: 0.05 })
    await inner.release({ id: released.id })
    fickle.mood = 'well'
    await pass(5_000)
    expect(said.slice(1)).toEqual([expect.stringContaining(`error replay of settle: id: hold "${released.id}" is already released`), expect.stringContaining('error replay of settle: id: no hold "nobody"'), 'recovered probe'])
    await pass(60_000)
    expect(said).toHaveLength(4)
    expect((await unknown.settle({ cost: 0.05 })).queued).toBeUndefined()
  })

  it('does not charge again what was sent long ago and has been forgotten since', async () => {
    const { bursar, fickle, said, ask, pass } = engine()
    const decision = allowedOf(await ask())
    fickle.moods.set('settle', 'loses replies')
    const lost = decision.settle({ cost: 0.4 })
    await pass(1_000)
    await lost
    fickle.mood = 'refuses'
    fickle.moods.clear()
    // Generated ids are remembered for a minute.
    await pass(120_000)
    fickle.mood = 'well'
    await pass(5_000)
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.4)
    expect(said.some((line) => line.includes('is not charged again'))).toBe(true)
  })

  it('lets endings that fail alone keep nobody out, and tries them again', async () => {
    const { bursar, fickle, said, ask, pass } = engine()
    const [poisoned, fine] = (await allow(2, ask)) as [AllowedDecision, AllowedDecision]
    fickle.mood = 'refuses'
    await poisoned.settle({ cost: 0.05 })
    await fine.settle({ cost: 0.05 })
    fickle.mood = 'well'
    fickle.moods.set(poisoned.id, 'refuses')
    await pass(5_000)
    expect(said.at(-1)).toBe('recovered probe')
    expect((await ask()).enforcedBy).toBe('store')
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.05)
    fickle.moods.clear()
    await pass(10_000)
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.1)
  })

  it('is not overtaken: nothing else ends or opens what waits to be told', async () => {
    const { bursar, fickle, said, ask, pass } = engine()
    const decision = allowedOf(await ask({ idempotencyKey: 'k' }))
    fickle.mood = 'refuses'
    await decision.settle({ cost: 0.05 })
    fickle.mood = 'well'
    fickle.moods.set('settle', 'refuses')
    await pass(5_000)
    expect(said.at(-1)).toBe('recovered probe')
    await decision.release()
    await expect(decision.extend()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', asked: false })
    expect(deniedOf(await ask({ idempotencyKey: 'k' })).code).toBe('store-unavailable')
    fickle.moods.clear()
    await pass(10_000)
    expect(await bursar.tracker.getUserSummary('ada')).toMatchObject({ totalCost: 0.05, held: 0 })
  })

  it('stops where the store says nothing any more, and goes on when it does', async () => {
    const { bursar, fickle, ask, pass } = engine()
    const decisions = await allow(99, ask)
    fickle.mood = 'refuses'
    for (const decision of decisions) await decision.settle({ cost: 0.01 })
    fickle.mood = 'well'
    fickle.asked = []
    fickle.countdown = { left: 0, then: 'hangs' }
    await pass(500)
    await pass(1_000)
    expect(fickle.count('settle')).toBe(64)
    fickle.mood = 'well'
    await pass(20_000)
    expect(await bursar.tracker.getUserSummary('ada')).toMatchObject({ totalCost: 0.99, held: 0 })
  })
})

describe('the bound', () => {
  it('is loud: what does not fit is rejected, and was not kept', async () => {
    const { bursar, fickle, said, ask, pass } = engine({ settleQueue: { max: 2 } })
    const decisions = await allow(3, ask)
    fickle.mood = 'refuses'
    await decisions[0]?.settle({ cost: 0.05 })
    await decisions[1]?.release()
    await expect(decisions[2]?.settle({ cost: 0.05 })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, asked: false, message: expect.stringContaining('settleQueue.max') })
    await bursar.guard({ userId: 'ada', estimatedCost: 0.1 }, async () => ({ result: 1, cost: 0.1 })).catch(() => {})
    fickle.mood = 'well'
    await pass(5_000)
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.05)
    expect(await decisions[2]?.settle({ cost: 0.05 })).toMatchObject({ replayed: false })
    expect(said.at(-1)).toBe('recovered probe')
  })

  it('is told of where a guarded call has already its answer', async () => {
    const { bursar, fickle, said, ask } = engine({ settleQueue: { max: 1 } })
    const [decision] = (await allow(1, ask)) as [AllowedDecision]
    const answer = bursar.guard({ userId: 'ada', estimatedCost: 0.1 }, async () => {
      fickle.mood = 'refuses'
      await decision.settle({ cost: 0.05 })
      return { result: 'paid for', cost: 0.1 }
    })
    expect(await answer).toBe('paid for')
    expect(said.at(-1)).toContain('error settle: settleQueue: 1 endings wait')
  })
})

describe('a queue on disk', () => {
  it('is emptied when everything is told', async () => {
    const path = newPath()
    const { bursar, fickle, ask, pass } = engine({ settleQueue: { path } })
    const [decision] = (await allow(1, ask)) as [AllowedDecision]
    fickle.mood = 'refuses'
    await decision.settle({ cost: 0.05 })
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(2)
    fickle.mood = 'well'
    await vi.waitFor(async () => {
      await pass(1_000)
      expect(readFileSync(path, 'utf8')).toBe('')
    })
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.05)
    await bursar.close()
    expect(existsSync(`${path}.lock`)).toBe(false)
  })

  it('belongs to one process: another one is refused, until it is let go', async () => {
    const path = newPath()
    const first = engine({ settleQueue: { path } })
    expect(() => engine({ settleQueue: { path } })).toThrow(new RegExp(`^settleQueue\\.path: .* is in use by process ${process.pid} on .*remove `))
    await first.bursar.close()
    await engine({ settleQueue: { path } }).bursar.close()
  })

  it('takes over from a process that is no more, also if its number is used again', () => {
    const path = newPath()
    new EndingFile(path).close().catch(() => {})
    for (const holder of [{ pid: 2 ** 22 + 1, host: hostOf(path) }, { pid: process.pid, host: hostOf(path), startedAt: '1' }]) {
      writeFileSync(`${path}.lock`, JSON.stringify({ token: 'old', ...holder }))
      const file = new EndingFile(path)
      expect(JSON.parse(readFileSync(`${path}.lock`, 'utf8'))).toMatchObject({ pid: process.pid })
      void file.close()
    }
    writeFileSync(`${path}.lock`, JSON.stringify({ token: 'far', pid: 1, host: 'another-host', startedAt: '1' }))
    expect(() => new EndingFile(path)).toThrow(/in use by process 1 on another-host/)
  })

  it('keeps what is left when it is closed, for the next process', async () => {
    const path = newPath()
    const clock = manualClock(START)
    const store = memoryStore({ clock })
    const first = engine({ settleQueue: { path } }, store, clock)
    const decisions = await allow(3, first.ask)
    first.fickle.mood = 'refuses'
    await decisions[0]?.settle({ cost: 0.05 })
    await decisions[1]?.release()
    await first.bursar.close()
    expect(first.warnings).toEqual([])
    const next = engine({ settleQueue: { path } }, store, clock)
    await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toBe(''))
    expect(await next.bursar.tracker.getUserSummary('ada')).toMatchObject({ totalCost: 0.05, held: 0.1 })
    await next.bursar.close()
  })

  it('drops a torn last line, and refuses one that is damaged in between', async () => {
    const path = newPath()
    const file = new EndingFile(path)
    const ending: Ending = { id: 'a', at: START, kind: 'release', microcents: 0 }
    await file.add(ending)
    await file.add({ ...ending, id: 'b' })
    await file.remove('a')
    await file.close()
    appendFileSync(path, '{"end":{"id":"c","at":17684')
    const again = new EndingFile(path)
    expect(again.left).toEqual([{ ...ending, id: 'b' }])
    // What comes next is not glued to what was torn.
    await again.add({ ...ending, id: 'd' })
    await again.close()
    expect(new EndingFile(path).left.map(({ id }) => id)).toEqual(['b', 'd'])
    rmSync(`${path}.lock`)
    for (const damage of ['{"end":{"id":"c"\n', '{"end":{"id":"c","at":1,"kind":"steal","microcents":1}}\n', '[]\n']) {
      writeFileSync(path, damage)
      expect(() => new EndingFile(path)).toThrow(/^settleQueue\.path: line 1 of .*Move the file away/)
    }
    expect(existsSync(`${path}.lock`)).toBe(false)
  })

  it('says what is wrong with a path that cannot be used', () => {
    expect(() => engine({ settleQueue: { path: join(folder, 'nowhere', 'endings') } })).toThrow(/^settleQueue\.path: .*nowhere.endings cannot be used .*a folder that exists/)
  })

  it('knows after a crash what was being sent', async () => {
    const path = newPath()
    const file = new EndingFile(path)
    await file.add({ id: 'a', at: START, kind: 'settle', microcents: 5 })
    await file.markSent(['a'], START + 7)
    await file.close()
    const again = new EndingFile(path)
    expect(again.left).toEqual([{ id: 'a', at: START, kind: 'settle', microcents: 5, sentAt: START + 7 }])
    await again.close()
  })

  it('writes scopes and windows so that they are the same again', () => {
    const scopes = [userOf('ada', windowOf(10, { timeZone: 'America/New_York', alerts: [80, 100] }), windowOf(null, { period: 'total' }), windowOf(5, { unit: 'requests', rollingMs: 60_000, degrade: 90 })), teamOf('search', windowOf(7, { period: 'monthly', unit: 'tokens' }))]
    const again = scopesFromPlain(JSON.parse(JSON.stringify(plainScopes(scopes))))
    expect(again).toEqual(scopes)
    // One calendar for equal rules: windows of now and of then are the same.
    expect(again[0]?.windows[0]?.source).toEqual(scopes[0]?.windows[0]?.source)
    const period = { startsAt: Date.UTC(2026, 0, 20), endsAt: Date.UTC(2026, 1, 20) }
    const paid = userOf('ada', { ...windowOf(3, { period: 'monthly' }), source: { kind: 'calendar', calendar: subscriptionCalendarFor(period) } })
    const [paidAgain] = scopesFromPlain(JSON.parse(JSON.stringify(plainScopes([paid]))))
    expect((paidAgain as ScopeTerms).windows.map(({ source }) => (source as { calendar: unknown }).calendar), 'the month of a subscription').toEqual([subscriptionCalendarFor(period)])
    const life = new Lifetime({ startsAt: Date.UTC(2026, 0, 20), endsAt: Date.UTC(2026, 1, 20) })
    const session = userOf('ada', { ...windowOf(3, { period: 'total' }), source: { kind: 'calendar', calendar: life } })
    const [sessionAgain] = scopesFromPlain(JSON.parse(JSON.stringify(plainScopes([session]))))
    expect((sessionAgain as ScopeTerms).windows.map(({ source }) => (source as unknown as { calendar: Lifetime }).calendar.span), 'the life of a session').toEqual([life.span])
    const odd = { ...windowOf(1), source: { kind: 'calendar' as const, calendar: { at: () => ({ startsAt: 0, endsAt: 1 }), around: () => [] as never } } }
    expect(() => plainScopes([userOf('ada', odd)])).toThrow(/no rule describes/)
  })
})

describe('a process that is killed', () => {
  const children: ChildProcess[] = []
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  it('has lost no settle that had resolved: the next one with its path tells the store', async () => {
    vi.useRealTimers()
    const path = newPath()
    const script = fileURLToPath(new URL('./settle-then-die.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', script, path, '5'], { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    const gone = new Promise((resolve) => child.once('exit', resolve))
    const resolved: { id: string; queued: boolean }[] = []
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      text += String(chunk)
      resolved.splice(0, resolved.length, ...text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as { id: string; queued: boolean }))
    })
    await vi.waitFor(() => expect(resolved).toHaveLength(5), { timeout: 60_000 })
    expect(() => new EndingFile(path)).toThrow(`in use by process ${child.pid}`)
    child.kill('SIGKILL')
    await gone
    const next = engine({ settleQueue: { path }, scopes: { team: { search: { monthly: 50, timeZone: 'Europe/Berlin' } } } }, undefined, manualClock(Date.now()))
    await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toBe(''), { timeout: 60_000 })
    const recorded = (await entriesOf(next.bursar.tracker)).filter(({ kind }) => kind === 'recorded')
    expect(recorded.map(({ decisionId }) => decisionId).sort()).toEqual(resolved.map(({ id }) => id).sort())
    expect(recorded[0]).toMatchObject({ microcents: 50_000_000, tokens: 7, requestedModel: 'gpt-4o', metadata: { call: expect.any(Number) } })
    expect(await next.bursar.tracker.getUserCost('ada')).toBe(2.5)
    expect((await next.bursar.tracker.context({ userId: 'ada', scopes: { team: 'search' } })).windows.find(({ scope }) => scope.kind === 'team')).toMatchObject({ spent: 2.5 })
    await next.bursar.close()
  })
})

describe('close', () => {
  it('tells the store what waits, if it is back', async () => {
    const { bursar, fickle, inner, warnings, ask } = engine()
    const [decision] = (await allow(1, ask)) as [AllowedDecision]
    fickle.mood = 'refuses'
    await decision.settle({ cost: 0.05 })
    fickle.mood = 'well'
    await bursar.close()
    expect(await inner.totals({ userId: 'ada' })).toMatchObject({ microcents: 5_000_000 })
    expect(warnings).toEqual([])
    expect(fickle.count('close')).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('takes no longer than the time limit, and warns of what is lost from memory', async () => {
    const { bursar, fickle, warnings, ask, pass } = engine()
    const decisions = await allow(2, ask)
    fickle.mood = 'refuses'
    for (const decision of decisions) await decision.settle({ cost: 0.05 })
    fickle.mood = 'hangs'
    const closing = bursar.close()
    await settled()
    await pass(1_000)
    await closing
    expect(warnings).toEqual([expect.stringMatching(/^bursar: 2 calls ended .*settleQueue\.path/)])
    await expect(ask()).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(decisions[0]?.settle({ cost: 0.04 })).rejects.toMatchObject({ code: 'ALREADY_ENDED' })
    await pass(60_000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('counts among what is lost no call that was not made', async () => {
    for (const [calls, warned] of [[0, []], [1, [expect.stringMatching(/^bursar: 1 call ended/)]]] as const) {
      const { bursar, fickle, warnings, ask, pass } = engine()
      const [released, spent] = (await allow(2, ask)) as [AllowedDecision, AllowedDecision]
      fickle.moods.set('reserve', 'loses replies')
      const lost = ask()
      await pass(1_000)
      expect(deniedOf(await lost).code).toBe('store-unavailable')
      fickle.mood = 'refuses'
      await released.release()
      if (calls === 1) await spent.settle({ cost: 0.05 })
      await bursar.close()
      expect(warnings).toEqual(warned)
    }
  })

  it('is followed by no word of the store, whatever comes of what was under way', async () => {
    const clock = manualClock(START)
    const memory = memoryStore({ clock })
    const late: (() => void)[] = []
    let isAway = false
    const waits = async <T>(does: () => T): Promise<T> => {
      if (isAway) await new Promise<void>((resolve) => late.push(resolve))
      return does()
    }
    let isClosed = false
    const orClosed = <T>(does: () => T): T => {
      if (isClosed) throw new ClosedError('the store')
      return does()
    }
    const store = storeWith(memory, {
      settle: (request) => waits(() => orClosed(() => memory.settle(request) as Settled)),
      release: (request) => orClosed(() => memory.release(request)),
      close: () => void (isClosed = true),
    })
    const { bursar, said, ask, pass } = engine({}, store, clock)
    const [decision] = (await allow(1, ask)) as [AllowedDecision]
    isAway = true
    const settling = decision.settle({ cost: 0.05 })
    await pass(1_000)
    expect(await settling).toMatchObject({ queued: true })
    const heard = said.length
    const closing = bursar.close()
    await settled()
    await pass(1_000)
    await closing
    expect(late).toHaveLength(2)
    for (const answer of late) answer()
    await settled()
    await pass(60_000)
    expect(said.slice(heard)).toEqual([])
  })
})

function hostOf(path: string): string {
  const file = new EndingFile(path)
  const { host } = JSON.parse(readFileSync(`${path}.lock`, 'utf8')) as { host: string }
  void file.close()
  return host
}
