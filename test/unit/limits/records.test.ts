// How fresh what a process knows of limits is: by the steady clock, and from one small record.

import { describe, expect, it } from 'vitest'
import { StoreResetError, StoreUnavailableError } from '../../../src/errors/index.js'
import { limitRecords, LimitRecords, type LimitRecord } from '../../../src/limits/index.js'
import { memoryStore, type Registry } from '../../../src/index.js'

const LIMIT: LimitRecord = { scope: { kind: 'global' }, budget: { daily: 1 }, from: null, until: null, mode: 'block', thresholds: null, description: null, createdAt: 0, generation: 1 }

/** A registry that other processes write to as well, and what is asked of it. */
function shared({ isAsync = true } = {}) {
  const { registry } = memoryStore()
  const asked: string[] = []
  let failure: Error | undefined
  const fail = (): void => {
    if (failure !== undefined) throw failure
  }
  const seen: Registry = {
    get: (kind, key) => {
      asked.push(`get ${kind}/${key}`)
      if (isAsync) return Promise.resolve().then(() => (fail(), registry.get(kind, key)))
      fail()
      return registry.get(kind, key)
    },
    put: (...given) => registry.put(...given),
    list: (kind) => {
      asked.push(`list ${kind}`)
      return registry.list(kind)
    },
  }
  let now = 0
  const records = new LimitRecords(seen, true, () => now)
  const other = new LimitRecords(registry, true, () => now)
  return { registry, records, other, asked, advance: (ms: number) => void (now += ms), fail: (error: Error | undefined) => void (failure = error) }
}

const ids = (records: LimitRecords): string[] => [...records.known.limits.keys()]
const take = (asked: string[]): string[] => asked.splice(0)

describe('the records of limits', () => {
  it('are read when they are first asked for, and then only as far as one small record says', async () => {
    const { records, other, asked, advance } = shared()
    await records.ready()
    expect(take(asked)).toEqual(['get limits/revision'])
    await other.write('limit', 'a', () => LIMIT)
    advance(500)
    expect(records.ready()).toBeUndefined()
    expect(take(asked)).toEqual([])
    advance(501)
    await records.ready()
    expect(take(asked)).toEqual(['get limits/revision', 'get limits/revision', 'list limit', 'list tenant'])
    expect(ids(records)).toEqual(['a'])
    advance(1_001)
    await records.ready()
    expect(take(asked)).toEqual(['get limits/revision'])
    await other.write('limit', 'a', () => null)
    await other.write('limit', 'b', () => LIMIT)
    advance(1_001)
    await records.ready()
    expect(ids(records)).toEqual(['b'])
  })

  it('are looked up behind the requests before they are too old, by one of them for all', async () => {
    const { records, other, asked, advance } = shared()
    await records.ready()
    await other.write('limit', 'a', () => LIMIT)
    take(asked)
    advance(600)
    expect([records.ready(), records.ready()]).toEqual([undefined, undefined])
    expect(take(asked)).toEqual(['get limits/revision'])
    advance(401)
    await Promise.all([records.ready(), records.ready()])
    expect(ids(records)).toEqual(['a'])
    expect(take(asked).filter((each) => each === 'list limit')).toHaveLength(1)
  })

  it('are there at once where the store answers at once', async () => {
    const { records, other, advance } = shared({ isAsync: false })
    expect(records.ready()).toBeUndefined()
    await other.write('limit', 'a', () => LIMIT)
    advance(1_001)
    await records.ready()
    expect(ids(records)).toEqual(['a'])
    advance(1_001)
    expect(records.ready()).toBeUndefined()
  })

  it('stand while the store is away, and not once it has lost its data', async () => {
    const { records, other, advance, fail } = shared()
    fail(new StoreUnavailableError('away'))
    await expect(records.ready()).rejects.toThrow('away')
    fail(undefined)
    await other.write('limit', 'a', () => LIMIT)
    await records.ready()
    advance(5_000)
    fail(new StoreUnavailableError('away'))
    await records.ready()
    expect(ids(records)).toEqual(['a'])
    await expect(records.load()).rejects.toThrow('away')
    fail(new StoreResetError('lost'))
    await expect(records.ready()).rejects.toThrow('lost')
    records.forget()
    expect(ids(records)).toEqual([])
    fail(undefined)
    await records.ready()
    expect(ids(records)).toEqual(['a'])
  })

  it('are not believed by what was asked long before, and answered only now', async () => {
    const { registry } = memoryStore()
    let now = 0
    let answer: (() => void) | undefined
    let isSlow = false
    const slow: Registry = {
      get: async (kind, key) => {
        const found = await registry.get(kind, key)
        if (isSlow) await new Promise<void>((resolve) => (answer = resolve))
        return found
      },
      put: (...given) => registry.put(...given),
      list: (kind) => registry.list(kind),
    }
    const records = new LimitRecords(slow, true, () => now)
    await records.ready()
    now += 600
    isSlow = true
    expect(records.ready()).toBeUndefined()
    await Promise.resolve()
    isSlow = false
    await new LimitRecords(registry, true, () => now).write('limit', 'a', () => LIMIT)
    now += 1_500
    const request = records.ready()
    answer?.()
    await request
    expect(ids(records)).toEqual(['a'])
  })

  it('give a number to each limit that no other of its id has had, also where one comes and goes meanwhile', async () => {
    const { registry } = memoryStore()
    const other = new LimitRecords(registry, true)
    let meanwhile: (() => Promise<unknown>) | undefined
    const records = new LimitRecords({ get: registry.get.bind(registry), list: registry.list.bind(registry), put: async (...given) => {
      const happens = given[0] === 'limit' ? meanwhile : undefined
      if (happens !== undefined) meanwhile = undefined
      await happens?.()
      return registry.put(...given)
    } }, true)
    const numbers: number[] = []
    const make = async (by: LimitRecords): Promise<void> => void numbers.push((await by.create('a', () => LIMIT)).value.generation)
    await make(records)
    await records.remove('a')
    meanwhile = async () => {
      await make(other)
      await other.remove('a')
    }
    await make(records)
    await records.remove('a')
    await make(other)
    expect(numbers).toEqual([1, 2, 3, 4])
    expect(await records.remove('none')).toBeUndefined()
  })

  it('know what this process has written at once, whatever was read meanwhile', async () => {
    const { records, advance } = shared()
    await records.ready()
    advance(600)
    records.ready()
    await records.write('limit', 'a', () => LIMIT)
    expect(ids(records)).toEqual(['a'])
    advance(600)
    await records.ready()
    expect(ids(records)).toEqual(['a'])
    await records.write('limit', 'a', () => null)
    expect(ids(records)).toEqual([])
  })

  it('are all read again at times: a process may have crashed before it told anybody', async () => {
    const { records, other, advance, registry } = shared()
    await other.write('limit', 'a', () => LIMIT)
    await records.ready()
    await registry.put('limit', 'b', JSON.stringify(LIMIT), { expected: 0 })
    advance(29_000)
    await records.ready()
    expect(ids(records)).toEqual(['a'])
    advance(2_000)
    await records.ready()
    expect(ids(records)).toEqual(['a', 'b'])
  })

  it('lose nothing where several change one at the same time', async () => {
    const { registry } = memoryStore()
    const processes = Array.from({ length: 8 }, () => new LimitRecords(registry, true))
    await Promise.all(processes.map((each, index) => each.write('tenant', 'acme', (before) => ({ models: [...(before?.models ?? []), `m${index}`] }))))
    const known = await (processes[0] as LimitRecords).load()
    expect([...(known.tenants.get('acme')?.value.models ?? [])].sort()).toEqual(processes.map((_, index) => `m${index}`))
  })

  it('are one set for all who work on a store of this process alone', () => {
    const store = memoryStore()
    expect(limitRecords(store)).toBe(limitRecords(store))
    expect(limitRecords({ registry: store.registry, shared: true })).not.toBe(limitRecords(store))
  })
})
