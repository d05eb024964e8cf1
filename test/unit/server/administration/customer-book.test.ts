// Customers in the registry, where several processes write at the same time.

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { CustomerBook, type CustomerFacts } from '../../../../src/server/administration/customer-book.js'
import { MemoryRegistry } from '../../../../src/store/memory/registry.js'

const ada = { userId: 'ada', tenant: 'acme' }
const KEY = ['customer', 'acme/ada'] as const
let registry: MemoryRegistry
let book: CustomerBook
/** The tier that the user has, and what sets it. */
let tier: string | null | undefined
let setTier: (user: unknown, wanted: string | null) => Promise<void>

beforeEach(async () => {
  registry = new MemoryRegistry(() => 1_000)
  tier = undefined
  book = new CustomerBook({ registry, setUserTier: (user: unknown, wanted: string | null) => setTier(user, wanted) } as never, () => 1_000)
  setTier = async (_user, wanted) => void (tier = wanted)
  await book.create(ada, { name: 'Ada', metadata: {} })
})

/** Another process writes, between a reading and the writing that goes by it. */
function elsewhere(value: (before: object) => object | null): void {
  const found = registry.get(...KEY)
  const written = value(JSON.parse(found?.value ?? '{}') as object)
  registry.put(...KEY, written === null ? null : JSON.stringify(written), { expected: found?.version ?? 0 })
}

describe('a customer', () => {
  it('keeps what another process has written in between', async () => {
    let times = 0
    const change = (before: CustomerFacts): CustomerFacts => {
      if ((times += 1) === 1) elsewhere((record) => ({ ...record, email: 'ada@acme.test' }))
      return { ...before, name: 'Countess' }
    }
    expect(await book.change(ada, change)).toMatchObject({ name: 'Countess', email: 'ada@acme.test' })
    expect(times).toBe(2)
  })

  it('is not changed in between for whoever names a version', async () => {
    const { version } = await book.find(ada)
    const change = (before: CustomerFacts): CustomerFacts => {
      elsewhere((record) => ({ ...record, name: 'Theirs' }))
      return { ...before, name: 'Ours' }
    }
    await expect(book.change(ada, change, { expected: version })).rejects.toMatchObject({ status: 412 })
    expect(await book.get(ada)).toMatchObject({ name: 'Theirs' })
  })

  it('does not come back when another process has removed it', async () => {
    const change = (before: CustomerFacts): CustomerFacts => {
      elsewhere(() => null)
      return before
    }
    await expect(book.change(ada, change)).rejects.toMatchObject({ status: 404 })
    expect(await book.get(ada)).toBeUndefined()
  })

  it('says so where others change it again and again', async () => {
    const change = (before: CustomerFacts): CustomerFacts => {
      elsewhere((record) => record)
      return before
    }
    await expect(book.change(ada, change)).rejects.toMatchObject({ status: 503 })
  })

  it('gets its tier after its record, and once both are done its version is another', async () => {
    const { version } = await book.find(ada)
    const seen: unknown[] = []
    setTier = async (_user, wanted) => void seen.push((await book.find(ada)).name, wanted)
    const written = await book.change(ada, (before) => ({ ...before, name: 'Countess' }), { expected: version, tier: 'pro' })
    expect(seen).toEqual(['Countess', 'pro'])
    expect(await book.find(ada)).toEqual(written)
    await expect(book.change(ada, (before) => before, { expected: version, tier: 'pro' })).rejects.toMatchObject({ status: 412 })
  })

  it('is changed by whoever repeats what broke off between record and tier, by the version that it went by', async () => {
    const { version } = await book.find(ada)
    const change = (before: CustomerFacts): CustomerFacts => ({ ...before, name: 'Countess' })
    setTier = () => Promise.reject(new Error('away'))
    await expect(book.change(ada, change, { expected: version, tier: 'pro' })).rejects.toThrow('away')
    setTier = async (_user, wanted) => void (tier = wanted)
    await expect(book.change(ada, (before) => ({ ...before, name: 'Other' }), { expected: version, tier: 'pro' })).rejects.toMatchObject({ status: 412 })
    await expect(book.change(ada, change, { expected: version, tier: 'free' })).rejects.toMatchObject({ status: 412 })
    expect(tier).toBeUndefined()
    await book.change(ada, change, { expected: version, tier: 'pro' })
    expect([tier, (await book.find(ada)).name]).toEqual(['pro', 'Countess'])
  })

  it('has the tier of the change that was written last, whichever was slower', async () => {
    let isSlow = true
    setTier = async (_user, wanted) => {
      if (isSlow) {
        isSlow = false
        await book.change(ada, (before) => before, { tier: 'free' })
      }
      tier = wanted
    }
    await book.change(ada, (before) => before, { tier: 'pro' })
    expect(tier).toBe('free')
  })

  it('that goes while its tier is set has none', async () => {
    setTier = async (_user, wanted) => {
      if (wanted === 'pro') await book.remove(ada, { clear: async () => {} })
      tier = wanted
    }
    await book.change(ada, (before) => before, { tier: 'pro' })
    expect([await book.get(ada), tier]).toEqual([undefined, null])
  })

  it('goes for nobody who has read an older version, and nothing is cleared for them', async () => {
    const { version } = await book.find(ada)
    elsewhere((record) => ({ ...record, name: 'Theirs' }))
    const clear = vi.fn(async () => {})
    await expect(book.remove(ada, { clear, expected: version })).rejects.toMatchObject({ status: 412 })
    expect(clear).not.toHaveBeenCalled()
    expect(await book.get(ada)).toMatchObject({ name: 'Theirs' })
  })

  it('is gone as soon as its removal has begun, and whoever repeats that finishes it', async () => {
    const { version } = await book.find(ada)
    await expect(book.remove(ada, { clear: () => Promise.reject(new Error('away')), expected: version })).rejects.toThrow('away')
    expect([await book.get(ada), (await book.list({})).items, (await book.list({ q: 'a' })).items]).toEqual([undefined, [], []])
    await expect(book.change(ada, (before) => before)).rejects.toMatchObject({ status: 404 })
    await expect(book.create(ada, { name: 'Anew', metadata: {} })).rejects.toMatchObject({ status: 409, message: expect.stringContaining('repeat the DELETE') })
    await expect(book.remove(ada, { clear: async () => {}, expected: 1 })).rejects.toMatchObject({ status: 412 })
    const clear = vi.fn(async () => {})
    await book.remove(ada, { clear, expected: version })
    expect(clear).toHaveBeenCalledOnce()
    await expect(book.remove(ada, { clear })).rejects.toMatchObject({ status: 404 })
    await book.create(ada, { name: 'Anew', metadata: { '"underway"': '"removes":true' } })
    expect((await book.list({})).items).toMatchObject([{ name: 'Anew' }])
  })

  it('is made by whoever repeats what broke off between record and tier, and by nobody who asks for something else', async () => {
    const bob = { userId: 'bob', tenant: 'acme' }
    setTier = () => Promise.reject(new Error('away'))
    await expect(book.create(bob, { name: 'Bob', metadata: {} }, 'pro')).rejects.toThrow('away')
    setTier = async (_user, wanted) => void (tier = wanted)
    const conflict = { status: 409, message: expect.stringContaining('a customer already') }
    await expect(book.create(bob, { name: 'Other', metadata: {} }, 'pro')).rejects.toMatchObject(conflict)
    await expect(book.create(bob, { name: 'Bob', metadata: {} }, 'free')).rejects.toMatchObject(conflict)
    await expect(book.create(bob, { name: 'Bob', metadata: {} })).rejects.toMatchObject(conflict)
    expect(tier).toBeUndefined()
    expect(await book.create(bob, { name: 'Bob', metadata: {} }, 'pro')).toEqual(await book.find(bob))
    expect(tier).toBe('pro')
    await expect(book.create(bob, { name: 'Bob', metadata: {} }, 'pro')).rejects.toMatchObject(conflict)
  })

  it('that two finish at once has for both the version that stands', async () => {
    const bob = { userId: 'bob', tenant: 'acme' }
    const made: unknown[] = []
    setTier = async () => {
      setTier = async (_user, wanted) => void (tier = wanted)
      made.push(await book.create(bob, { name: 'Bob', metadata: {} }, 'pro'))
    }
    made.push(await book.create(bob, { name: 'Bob', metadata: {} }, 'pro'))
    const stands = await book.find(bob)
    expect([made, tier]).toEqual([[stands, stands], 'pro'])
  })

  it('whose removal clears is not finished by whoever may not clear', async () => {
    await book.change(ada, (before) => before, { tier: 'pro' })
    await expect(book.remove(ada, { clear: () => Promise.reject(new Error('away')) })).rejects.toThrow('away')
    await expect(book.remove(ada)).rejects.toMatchObject({ status: 409, message: expect.stringContaining("key of the operator's") })
    expect(tier).toBe('pro')
    const clear = vi.fn(async () => {})
    await book.remove(ada, { clear })
    expect(clear).toHaveBeenCalledOnce()
    expect([tier, registry.get(...KEY)]).toEqual([null, undefined])
  })

  it('whose removal leaves tier and limits keeps them, whoever finishes it', async () => {
    await book.change(ada, (before) => before, { tier: 'pro' })
    const put = vi.spyOn(registry, 'put')
    const { put: real } = MemoryRegistry.prototype
    put.mockImplementation((kind, key, value, write) => {
      if (value === null) throw new Error('away')
      return real.call(registry, kind, key, value, write)
    })
    await expect(book.remove(ada)).rejects.toThrow('away')
    put.mockRestore()
    const clear = vi.fn(async () => {})
    await book.remove(ada, { clear })
    expect(clear).not.toHaveBeenCalled()
    expect([tier, registry.get(...KEY)]).toEqual(['pro', undefined])
  })

  it('made anew keeps its tier from a slow removal of the one before', async () => {
    const anew = async (): Promise<void> => {
      setTier = async (_user, wanted) => void (tier = wanted)
      await book.remove(ada, { clear: async () => {} })
      await book.create(ada, { name: 'Anew', metadata: {} }, 'pro')
    }
    setTier = async (_user, wanted) => {
      await anew()
      tier = wanted
    }
    await book.remove(ada, { clear: async () => {} })
    expect([(await book.find(ada)).name, tier]).toEqual(['Anew', 'pro'])

    const set: unknown[] = []
    await book.remove(ada, {
      clear: async () => {
        await anew()
        setTier = async (_user, wanted) => void set.push(wanted)
      },
    })
    expect([(await book.find(ada)).name, tier, set]).toEqual(['Anew', 'pro', []])
  })
})
