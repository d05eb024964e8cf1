// API keys: what they are made of, how fresh what a process knows of them is, and what happens while the store is away.

import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { InvalidConfigError, InvalidRequestError, memoryStore, StoreUnavailableError, type Registry } from '../../../../src/index.js'
import { StoreResetError } from '../../../../src/errors/index.js'
import { KeyBook, type KeyBookOptions, type NewKey } from '../../../../src/server/keys/index.js'

const START = Date.UTC(2026, 10, 22, 12)
const NEW: NewKey = { name: 'backend', roles: ['check', 'read'] }
const DAY = 86_400_000

/** Key books on one registry, as so many processes have them, and what the first of them asks of it. */
function stage({ mayBeOpen = false, fixed }: Partial<KeyBookOptions> = {}) {
  let now = START
  let steadyNow = 0
  const clock = (): number => now
  const { registry } = memoryStore({ clock })
  const asked: string[] = []
  let failure: Error | undefined
  let gate: Promise<void> | undefined
  const seen: Registry = {
    get: async (kind, key) => {
      asked.push(`get ${kind}`)
      if (failure !== undefined) throw failure
      const found = await registry.get(kind, key)
      await gate
      return found
    },
    put: async (...given) => {
      if (failure !== undefined) throw failure
      return registry.put(...given)
    },
    list: (kind) => registry.list(kind),
  }
  const open = (on: Registry): KeyBook => new KeyBook({ registry: on, clock, mayBeOpen, fixed, steady: () => steadyNow })
  return {
    registry,
    book: open(seen),
    other: open(registry),
    asked,
    advance: (ms: number) => void ((now += ms), (steadyNow += ms)),
    advanceSteady: (ms: number) => void (steadyNow += ms),
    setBack: (ms: number) => void (now -= ms),
    fail: (error: Error | undefined) => void (failure = error),
    hold: () => {
      let release = (): void => {}
      gate = new Promise((resolve) => (release = resolve))
      return () => {
        gate = undefined
        release()
      }
    },
  }
}

const tampered = (token: string): string => `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`

describe('a key', () => {
  it('is a token that is shown once, of which the store has a hash alone', async () => {
    const { book, registry } = stage()
    const { key, token } = await book.create({ ...NEW, tenant: 'acme', expiresAt: new Date(START + DAY) })
    expect(token).toMatch(/^bursar_[0-9a-f]{16}_[\w-]{43}$/)
    expect(key).toEqual({ id: token.split('_')[1], name: 'backend', roles: ['check', 'read'], tenant: 'acme', createdAt: new Date(START), expiresAt: new Date(START + DAY), state: 'active', secrets: { valid: 1 } })
    const secret = token.slice(24)
    for await (const { value } of registry.list('api-key')) {
      expect(value).not.toContain(secret)
      const [{ hash }] = JSON.parse(value).secrets
      for (const shown of [key, await book.list(), await book.get(key.id), await book.rotate(key.id)]) expect(inspect(shown, { depth: 9 })).not.toContain(hash)
    }
    expect(inspect(book, { depth: 9, showHidden: true })).not.toContain(secret)
  })

  it('is whoever sends it: with its roles, its tenant and its user', async () => {
    const { book } = stage()
    const { key, token } = await book.create({ name: 'ada', roles: ['read', 'check'], tenant: 'acme', userId: 'ada' })
    expect(await book.authenticate(token)).toMatchObject({ keyId: key.id, name: 'ada', roles: ['check', 'read'], tenant: 'acme', userId: 'ada' })
    const operator = await book.authenticate((await book.create({ name: 'boss', roles: ['admin'] })).token)
    expect(operator?.isOperator).toBe(true)
    expect(operator?.may('check')).toBe(true)
  })

  it('is refused where anything of it is not as it was given', async () => {
    const { book } = stage()
    const { key, token } = await book.create(NEW)
    const { token: another } = await book.create(NEW)
    const secret = token.slice(24)
    const mixed = `bursar_${key.id}_${another.slice(24)}`
    for (const given of ['', 'x', tampered(token), mixed, token.slice(0, -1), `${token}A`, token.toUpperCase(), `bursar_0000000000000000_${secret}`, secret, `bursar__${secret}`, 'bursar_'.repeat(10_000)]) {
      expect(await book.authenticate(given)).toBeUndefined()
    }
    expect(await book.authenticate(undefined)).toBeUndefined()
    expect(await book.authenticate(token)).toBeDefined()
  })

  it.each([
    ['no name', { ...NEW, name: ' ' }, /^name: /],
    ['a name that is too long', { ...NEW, name: 'x'.repeat(101) }, /^name: .*100/],
    ['a name with controls', { ...NEW, name: 'a\nb' }, /^name: /],
    ['half a character as its name', { ...NEW, name: '\ud800' }, /^name: /],
    ['no role', { ...NEW, roles: [] }, /^roles: /],
    ['a role that there is not', { ...NEW, roles: ['root'] as never }, /^roles: .*admin/],
    ['a role twice', { ...NEW, roles: ['read', 'read'] }, /^roles: /],
    ['a tenant that is none', { ...NEW, tenant: '' }, /^tenant: /],
    ['half a character as its tenant', { ...NEW, tenant: 'a\udc00' }, /^tenant: /],
    ['a tenant that is too long', { ...NEW, tenant: 'x'.repeat(101) }, /^tenant: .*100/],
    ['a user that is none', { ...NEW, userId: '' }, /^userId: /],
    ['a user who is an admin', { ...NEW, userId: 'ada', roles: ['check', 'admin'] as const }, /^roles: .*never an admin/],
    ['a time that is none', { ...NEW, expiresAt: new Date(Number.NaN) }, /^expiresAt: /],
    ['a time that is over', { ...NEW, expiresAt: new Date(START) }, /^expiresAt: .*is over/],
    ['a field that it does not have', { ...NEW, scope: 'x' }, /^scope: is no field/],
    ['nothing', null, /^key: /],
  ])('is not made of %s', async (_what, key, message) => {
    const { book } = stage()
    await expect(book.create(key as NewKey)).rejects.toThrow(InvalidRequestError)
    await expect(book.create(key as NewKey)).rejects.toThrow(message)
    expect(await book.list()).toEqual([])
  })

  it('is made in any number up to 1,000 for each tenant', async () => {
    const { book } = stage()
    const { key } = await book.create({ ...NEW, tenant: 'acme' })
    for (let made = 1; made < 1_000; made += 100) await Promise.all(Array.from({ length: Math.min(100, 1_000 - made) }, () => book.create({ ...NEW, tenant: 'acme' })))
    await expect(book.create({ ...NEW, tenant: 'acme' })).rejects.toThrow(/^keys: there are 1000 already of this tenant\. Revoke/)
    await book.create({ ...NEW, tenant: 'other' })
    await book.revoke(key.id)
    await book.create({ ...NEW, tenant: 'acme' })
  })

  it('that has expired is none of those, and of keys that have ended the newest 1,000 are listed', async () => {
    const { book, advance } = stage()
    for (let made = 0; made < 1_000; made += 100) await Promise.all(Array.from({ length: 100 }, () => book.create({ ...NEW, tenant: 'acme', expiresAt: new Date(START + 10) })))
    advance(10)
    const { key } = await book.create({ ...NEW, tenant: 'acme', expiresAt: new Date(START + 20) })
    expect(await book.list()).toHaveLength(1_001)
    advance(10)
    await book.create({ ...NEW, tenant: 'acme' })
    expect((await book.list()).filter(({ state }) => state === 'expired')).toHaveLength(1_000)
    expect(await book.get(key.id)).toMatchObject({ state: 'expired', secrets: { valid: 0 } })
  })

  it('that was revoked is listed as such for 30 days, without a secret, and stays revoked', async () => {
    const { book, registry, advance } = stage()
    const { key, token } = await book.create(NEW)
    advance(1_000)
    await book.revoke(key.id)
    expect(await book.list()).toEqual([{ ...key, state: 'revoked', revokedAt: new Date(START + 1_000), secrets: { valid: 0 } }])
    for await (const { value } of registry.list('api-key')) expect(JSON.parse(value).secrets).toEqual([])
    for (const work of [() => book.revoke(key.id), () => book.rotate(key.id)]) await expect(work()).rejects.toMatchObject({ status: 404, message: expect.stringContaining('was revoked already') })
    expect(await book.authenticate(token)).toBeUndefined()
    expect(await book.hasAny()).toBe(false)
    advance(30 * DAY - 1)
    expect(await book.list()).toHaveLength(1)
    advance(1)
    expect(await book.list()).toEqual([])
  })

  it('of which there is none costs the store one look in a second, however often it is sent, and displaces none that is known', async () => {
    const { book, other, asked, advance } = stage()
    const { token } = await book.create(NEW)
    const caller = await book.authenticate(token)
    const wrong = `bursar_0123456789abcdef_${token.slice(24)}`
    asked.splice(0)
    for (let tried = 0; tried < 100; tried += 1) expect(await book.authenticate(wrong)).toBeUndefined()
    expect(asked).toEqual(['get api-key'])
    for (let tried = 0; tried < 10_100; tried += 1) await book.authenticate(`bursar_${tried.toString(16).padStart(16, '0')}_${token.slice(24)}`)
    asked.splice(0)
    expect(await book.authenticate(token)).toBe(caller)
    expect(asked).toEqual([])
    // One that another process makes is known within a second.
    const { key } = await other.create(NEW)
    expect(key.id).not.toBe('0123456789abcdef')
    advance(1_001)
    await book.authenticate(wrong)
    expect(asked).toEqual(['get api-key'])
  })

  it('ends to the millisecond, is listed as expired, and is forgotten after 30 days', async () => {
    const { book, advance } = stage()
    const { key, token } = await book.create({ ...NEW, expiresAt: new Date(START + 1_234) })
    advance(1_233)
    expect(await book.authenticate(token)).toBeDefined()
    expect(await book.hasAny()).toBe(true)
    advance(1)
    expect(await book.authenticate(token)).toBeUndefined()
    expect(await book.hasAny()).toBe(false)
    expect(await book.get(key.id)).toMatchObject({ state: 'expired' })
    await expect(book.rotate(key.id)).rejects.toThrow(/has expired\. Create another one/)
    advance(30 * DAY - 1)
    expect(await book.list()).toMatchObject([{ id: key.id, state: 'expired' }])
    advance(1)
    expect(await book.list()).toEqual([])
  })
})

describe('a server without keys', () => {
  it('is open where it may be, until the first key is made: by any process, and for good', async () => {
    const { book, other, advance } = stage({ mayBeOpen: true })
    expect(await book.authenticate(undefined)).toMatchObject({ keyId: undefined, isOperator: true })
    expect((await book.authenticate(undefined))?.may('admin')).toBe(true)
    expect(await book.authenticate('bursar_x')).toBeUndefined()
    const { key } = await other.create(NEW)
    expect(await other.authenticate(undefined)).toBeUndefined()
    advance(1_001)
    expect(await book.authenticate(undefined)).toBeUndefined()
    await other.revoke(key.id)
    advance(100 * DAY)
    expect(await book.hasAny()).toBe(false)
    expect(await book.authenticate(undefined)).toBeUndefined()
  })

  it('is closed where it may not be, and where a key is given by the environment', async () => {
    const facts = { keyId: 'env', name: 'environment', roles: ['admin'] as const }
    expect(await stage().book.authenticate(undefined)).toBeUndefined()
    const { book, asked } = stage({ mayBeOpen: true, fixed: [{ token: 'a-long-enough-secret', facts }] })
    expect(await book.authenticate(undefined)).toBeUndefined()
    expect(await book.authenticate('a-long-enough-secreT')).toBeUndefined()
    expect(await book.authenticate('a-long-enough-secret')).toMatchObject(facts)
    expect(await book.hasAny()).toBe(true)
    expect(asked).toEqual([])
  })

  it('takes no key of the environment that is none, and does not repeat it', () => {
    for (const token of ['short', 'with spaces in between it', 'x'.repeat(20) + 'é']) {
      const make = () => stage({ fixed: [{ token, facts: { keyId: 'env', name: 'environment', roles: ['admin'] } }] })
      expect(make).toThrow(InvalidConfigError)
      expect(make).not.toThrow(token)
    }
    const admin = { keyId: 'env', name: 'x', roles: ['admin'] as const, userId: 'ada' }
    expect(() => stage({ fixed: [{ token: 'a-long-enough-secret', facts: admin }] })).toThrow(/^keys: roles: /)
  })

  it('is not open because the store does not answer', async () => {
    const { book, fail } = stage({ mayBeOpen: true })
    fail(new StoreUnavailableError('the store is away'))
    await expect(book.authenticate(undefined)).rejects.toThrow(StoreUnavailableError)
  })
})

describe('a change of a key', () => {
  it('is known in every process within a second: a key that is revoked is refused', async () => {
    const { book, other, advance } = stage()
    const { key, token } = await other.create(NEW)
    expect(await book.authenticate(token)).toBeDefined()
    await other.revoke(key.id)
    expect(await other.authenticate(token)).toBeUndefined()
    advance(1_001)
    expect(await book.authenticate(token)).toBeUndefined()
    await expect(book.revoke(key.id)).rejects.toMatchObject({ status: 404 })
  })

  it('is known by the steady clock where the other one stands still or goes back', async () => {
    const { book, other, advanceSteady, setBack } = stage()
    const [first, second] = [await other.create(NEW), await other.create(NEW)]
    for (const { token } of [first, second]) expect(await book.authenticate(token)).toBeDefined()
    for (const { key } of [first, second]) await other.revoke(key.id)
    setBack(1)
    expect(await book.authenticate(first.token)).toBeUndefined()
    advanceSteady(1_001)
    expect(await book.authenticate(second.token)).toBeUndefined()
  })

  it('costs a busy key one look in half a second, behind its requests', async () => {
    const { book, asked, advance } = stage()
    const { token } = await book.create(NEW)
    const first = await book.authenticate(token)
    asked.splice(0)
    for (let request = 0; request < 100; request += 1) await book.authenticate(token)
    advance(500)
    await book.authenticate(token)
    expect(asked).toEqual([])
    advance(1)
    for (let request = 0; request < 100; request += 1) expect(await book.authenticate(token)).toBe(first)
    expect(asked).toEqual(['get api-key'])
  })

  it('is not undone by a look that began before it', async () => {
    const { book, other, hold, advance } = stage()
    const { key, token } = await book.create(NEW)
    const release = hold()
    const early = book.authenticate(token)
    await new Promise(setImmediate)
    await other.revoke(key.id)
    advance(1_001)
    const late = book.authenticate(token)
    await new Promise(setImmediate)
    release()
    expect([await early, await late].map((caller) => caller === undefined)).toEqual([false, true])
    expect(await book.authenticate(token)).toBeUndefined()
  })

  it('in this process is not undone by one either', async () => {
    const { book, hold } = stage()
    const { key, token } = await book.create(NEW)
    const release = hold()
    const early = book.authenticate(token)
    await new Promise(setImmediate)
    const revoked = book.revoke(key.id)
    await new Promise(setImmediate)
    release()
    await Promise.all([early, revoked])
    expect(await book.authenticate(token)).toBeUndefined()
  })

  it('gives it another secret, and leaves the one before valid for the grace alone', async () => {
    const { book, other, advance } = stage()
    const { key, token: before } = await other.create(NEW)
    expect(await book.authenticate(before)).toBeDefined()
    const { key: rotated, token: after } = await other.rotate(key.id, { graceMs: 10_000 })
    expect(rotated).toEqual({ ...key, secrets: { valid: 2, earlierUntil: new Date(START + 10_000) } })
    expect(after).not.toBe(before)
    advance(9_999)
    for (const token of [before, after]) expect(await book.authenticate(token)).toMatchObject({ keyId: key.id })
    advance(1)
    expect(await book.authenticate(before)).toBeUndefined()
    expect(await book.authenticate(after)).toBeDefined()
    expect(await book.get(key.id)).toEqual(key)
    const { token: last } = await other.rotate(key.id, { graceMs: 0 })
    advance(1_001)
    expect(await book.authenticate(after)).toBeUndefined()
    expect(await book.authenticate(last)).toBeDefined()
  })

  it('shortens the grace of earlier secrets, never lengthens it, and is refused rather than end one inside its grace', async () => {
    const { book, advance } = stage()
    const { key, token } = await book.create(NEW)
    const tokens = [token]
    for (let round = 0; round < 4; round += 1) tokens.push((await book.rotate(key.id)).token)
    const valid = async (): Promise<boolean[]> => Promise.all(tokens.map(async (each) => (await book.authenticate(each)) !== undefined))
    await expect(book.rotate(key.id)).rejects.toMatchObject({ status: 409, message: expect.stringMatching(/^key: 5 of its secrets are valid already/) })
    expect(await valid()).toEqual([true, true, true, true, true])
    expect(await book.get(key.id)).toMatchObject({ secrets: { valid: 5, earlierUntil: new Date(START + DAY) } })
    tokens.push((await book.rotate(key.id, { graceMs: 0 })).token)
    expect(await valid()).toEqual([false, false, false, false, false, true])
    await book.rotate(key.id, { graceMs: 2_000 })
    advance(1_000)
    await book.rotate(key.id, { graceMs: DAY })
    advance(1_000)
    expect(await valid()).toEqual([false, false, false, false, false, false])
    expect(await book.get(key.id)).toMatchObject({ secrets: { valid: 2 } })
    tokens.push((await book.rotate(key.id, { graceMs: 0 })).token)
    expect((await valid()).filter(Boolean)).toHaveLength(1)
  })

  it.each([-1, 1.5, Number.NaN, 31 * DAY])('has no grace of %d ms', async (graceMs) => {
    const { book } = stage()
    const { key, token } = await book.create(NEW)
    await expect(book.rotate(key.id, { graceMs })).rejects.toThrow(InvalidRequestError)
    expect(await book.authenticate(token)).toBeDefined()
  })

  it('of many at once has an effect each', async () => {
    const { book, other } = stage()
    const { key } = await book.create(NEW)
    const issued = await Promise.all([book.rotate(key.id), other.rotate(key.id), book.rotate(key.id), other.rotate(key.id)])
    for (const { token } of issued) expect(await book.authenticate(token)).toBeDefined()
  })

  it('of what is no id of a key is refused without repeating it: it may be a whole key', async () => {
    const { book } = stage()
    const { token } = await book.create(NEW)
    for (const change of [() => book.revoke(token), () => book.rotate(token)]) {
      await expect(change()).rejects.toMatchObject({ status: 404 })
      await expect(change()).rejects.not.toThrow(token.slice(24))
    }
    expect(await book.get(token)).toBeUndefined()
  })
})

describe('while the store is away', () => {
  it('what was known stands for a minute, and no request waits for the store more than twice a second', async () => {
    const { book, fail, advance, asked } = stage()
    const { token } = await book.create(NEW)
    const { token: unseen } = await book.create(NEW)
    expect(await book.authenticate(token)).toBeDefined()
    fail(new StoreUnavailableError('the store is away'))
    advance(30_000)
    asked.splice(0)
    for (let request = 0; request < 50; request += 1) expect(await book.authenticate(token)).toBeDefined()
    expect(asked).toEqual(['get api-key'])
    expect(await book.authenticate(tampered(token))).toBeUndefined()
    await expect(book.authenticate(unseen)).rejects.toThrow(StoreUnavailableError)
    advance(30_000)
    expect(await book.authenticate(token)).toBeDefined()
    advance(501)
    await expect(book.authenticate(token)).rejects.toThrow(StoreUnavailableError)
    fail(undefined)
    expect(await book.authenticate(token)).toBeDefined()
  })

  it('a key still expires', async () => {
    const { book, fail, advance } = stage()
    const { token } = await book.create({ ...NEW, expiresAt: new Date(START + 5_000) })
    await book.authenticate(token)
    fail(new StoreUnavailableError('the store is away'))
    advance(4_999)
    expect(await book.authenticate(token)).toBeDefined()
    advance(1)
    expect(await book.authenticate(token)).toBeUndefined()
  })

  it('and nothing stands by a store that has lost its data', async () => {
    const { book, fail, advance } = stage()
    const { token } = await book.create(NEW)
    await book.authenticate(token)
    fail(new StoreResetError('the store has lost its data'))
    advance(1_001)
    await expect(book.authenticate(token)).rejects.toThrow(StoreResetError)
  })

  it('a key that may have been revoked is looked up, and not believed', async () => {
    const { book, fail } = stage()
    const { key, token } = await book.create(NEW)
    await book.authenticate(token)
    fail(new StoreUnavailableError('the reply was lost'))
    await expect(book.revoke(key.id)).rejects.toThrow(StoreUnavailableError)
    fail(undefined)
    await book.revoke(key.id)
    expect(await book.authenticate(token)).toBeUndefined()
  })

  it('no key is made', async () => {
    const { book, fail } = stage({ mayBeOpen: true })
    fail(new StoreUnavailableError('the store is away'))
    await expect(book.create(NEW)).rejects.toThrow(StoreUnavailableError)
  })
})
