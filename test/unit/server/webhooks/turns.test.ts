// Who is served when.

import { describe, expect, it } from 'vitest'
import { Turns } from '../../../../src/server/webhooks/turns.js'

function turns() {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const made = new Turns<string>((piece) => {
    begun.push(piece)
    return new Promise((resolve) => ends.set(piece, resolve))
  })
  const end = async (piece: string): Promise<void> => {
    ends.get(piece)?.()
    await new Promise(setImmediate)
  }
  return { turns: made, begun, end }
}

describe('pieces of work', () => {
  it('are four at once of one endpoint, in their order, and keep no other endpoint waiting', async () => {
    const { turns: of, begun, end } = turns()
    for (let each = 0; each < 6; each += 1) of.add({ endpoint: 'slow', name: `slow-${each}` }, `slow-${each}`)
    of.add({ endpoint: 'quick', name: 'quick' }, 'quick')
    expect(begun).toEqual(['slow-0', 'slow-1', 'slow-2', 'slow-3', 'quick'])
    await end('slow-2')
    expect(begun.slice(5)).toEqual(['slow-4'])
    await end('slow-0')
    expect(begun.slice(6)).toEqual(['slow-5'])
  })

  it('are 256 at once in all', async () => {
    const { turns: of, begun, end } = turns()
    for (let each = 0; each < 300; each += 1) of.add({ endpoint: `endpoint-${each}`, name: `${each}` }, `${each}`)
    expect(begun).toHaveLength(256)
    await end('7')
    expect(begun).toHaveLength(257)
  })

  it('are not begun twice while they wait or run, and may be when they have ended', async () => {
    const { turns: of, begun, end } = turns()
    for (let each = 0; each < 5; each += 1) of.add({ endpoint: 'a', name: `${each}` }, `${each}`)
    for (let each = 0; each < 5; each += 1) of.add({ endpoint: 'a', name: `${each}` }, `${each}`)
    for (let each = 0; each < 5; each += 1) await end(`${each}`)
    expect(begun).toEqual(['0', '1', '2', '3', '4'])
    of.add({ endpoint: 'a', name: '0' }, '0')
    expect(begun).toHaveLength(6)
  })

  it('that wait are forgotten on demand; whoever wants them all to have ended waits for those that run', async () => {
    const { turns: of, begun, end } = turns()
    for (let each = 0; each < 5; each += 1) of.add({ endpoint: 'a', name: `${each}` }, `${each}`)
    of.forgetWaiting()
    let isIdle = false
    const idle = of.idle().then(() => (isIdle = true))
    for (let each = 0; each < 4; each += 1) {
      expect(isIdle).toBe(false)
      await end(`${each}`)
    }
    await idle
    expect(begun).toHaveLength(4)
  })

  it('of an endpoint that has nothing under way go before those of others that wait, however many those are', async () => {
    const { turns: of, begun, end } = turns()
    for (let each = 0; each < 64; each += 1) for (let piece = 0; piece < 40; piece += 1) of.add({ endpoint: `slow-${each}`, name: `${each}-${piece}` }, `${each}-${piece}`)
    of.add({ endpoint: 'good', name: 'good' }, 'good')
    expect(begun).toHaveLength(256)
    await end('63-0')
    expect(begun.slice(256)).toEqual(['good'])
    await end('good')
    await end('5-1')
    await end('6-1')
    // Then whoever was not served for longest.
    expect(begun.slice(257)).toEqual(['63-4', '5-4', '6-4'])
  })

  it('are 32 at once of one tenant and 192 of all tenants: the rest is the operator’s', async () => {
    const { turns: of, begun, end } = turns()
    for (let each = 0; each < 20; each += 1) for (let piece = 0; piece < 4; piece += 1) of.add({ endpoint: `acme-${each}`, tenant: 'acme', name: `acme-${each}-${piece}` }, `acme-${each}-${piece}`)
    expect(begun).toHaveLength(32)
    for (let each = 0; each < 20; each += 1) for (let piece = 0; piece < 20; piece += 1) of.add({ endpoint: `of-${each}`, tenant: `tenant-${each}`, name: `of-${each}-${piece}` }, `of-${each}-${piece}`)
    expect(begun).toHaveLength(112)
    for (let each = 20; each < 80; each += 1) for (let piece = 0; piece < 4; piece += 1) of.add({ endpoint: `of-${each}`, tenant: `tenant-${each}`, name: `of-${each}-${piece}` }, `of-${each}-${piece}`)
    expect(begun).toHaveLength(192)
    for (let each = 0; each < 80; each += 1) of.add({ endpoint: `own-${each}`, name: `own-${each}` }, `own-${each}`)
    expect(begun.slice(192)).toEqual(Array.from({ length: 64 }, (_, each) => `own-${each}`))
    await end('acme-0-0')
    await end('of-1-0')
    expect(begun).toHaveLength(258)
  })

  it('that go first go before others of their endpoint', async () => {
    const { turns: of, begun, end } = turns()
    for (let each = 0; each < 6; each += 1) of.add({ endpoint: 'a', name: `denial-${each}` }, `denial-${each}`)
    of.add({ endpoint: 'a', name: 'threshold', isFirst: true }, 'threshold')
    await end('denial-0')
    expect(begun.slice(4)).toEqual(['threshold'])
  })
})
