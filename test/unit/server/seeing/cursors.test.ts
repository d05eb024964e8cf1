// Cursors for clients: any process of a store opens those of another, and nobody learns from them where a page ends.

import { describe, expect, it } from 'vitest'
import { Cursors } from '../../../../src/server/seeing/cursors.js'
import { Problem } from '../../../../src/server/problem.js'
import type { Registry } from '../../../../src/store/index.js'
import { PlainRegistry } from '../../../support/plain-registry.js'

const registryOf = (): Registry => new PlainRegistry(() => 1)

describe('cursors', () => {
  it('are opened by every process of the store, also where both begin at once', async () => {
    const registry = registryOf()
    const [one, other] = [new Cursors(registry), new Cursors(registry)]
    const [first, second] = await Promise.all([one.seal('42', 'acme'), other.seal('["a",1,null]', 'acme')])
    expect([await other.open(first, 'acme'), await one.open(second, 'acme')]).toEqual(['42', '["a",1,null]'])
  })

  it('do not say how long what they stand for is', async () => {
    const cursors = new Cursors(registryOf())
    expect(await cursors.seal('7', 'acme')).toHaveLength((await cursors.seal('1234567890123', 'acme')).length)
  })

  it('are good for one reach', async () => {
    const cursors = new Cursors(registryOf())
    await expect(cursors.open(await cursors.seal('42', 'acme'), 'globex')).rejects.toThrow(Problem)
  })

  it('are those of the store as it is now', async () => {
    let registry = registryOf()
    const following: Registry = { get: (kind, key) => registry.get(kind, key), put: (...write) => registry.put(...write), list: (kind) => registry.list(kind) }
    const cursors = new Cursors(following)
    const old = await cursors.seal('42', 'acme')
    registry = registryOf()
    const young = await new Cursors(registry).seal('43', 'acme')
    expect(await cursors.open(young, 'acme')).toBe('43')
    await expect(cursors.open(old, 'acme')).rejects.toThrow(Problem)
  })

  it('wait for a store that is away, and do not remember that it was', async () => {
    const registry = registryOf()
    let isAway = true
    const away: Registry = { get: async (kind, key) => (isAway ? Promise.reject(new Error('away')) : registry.get(kind, key)), put: (...write) => registry.put(...write), list: (kind) => registry.list(kind) }
    const cursors = new Cursors(away)
    await expect(cursors.seal('42', 'acme')).rejects.toThrow('away')
    isAway = false
    expect(await cursors.open(await cursors.seal('42', 'acme'), 'acme')).toBe('42')
  })
})
