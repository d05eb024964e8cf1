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
    for (let each = 0; each < 6; each += 1) of.add('slow', `slow-${each}`, `slow-${each}`)
    of.add('quick', 'quick', 'quick')
    expect(begun).toEqual(['slow-0', 'slow-1', 'slow-2', 'slow-3', 'quick'])
    await end('slow-2')
    expect(begun.slice(5)).toEqual(['slow-4'])
    await end('slow-0')
    expect(begun.slice(6)).toEqual(['slow-5'])
  })

  it('are 256 at once in all', async () => {
    const { turns: of, begun, end } = turns()
    for (let each = 0; each < 300; each += 1) of.add(`endpoint-${each}`, `${each}`, `${each}`)
    expect(begun).toHaveLength(256)
    await end('7')
    expect(begun).toHaveLength(257)
  })

  it('are not begun twice while they wait or run, and may be when they have ended', async () => {
    const { turns: of, begun, end } = turns()
    for (let each = 0; each < 5; each += 1) of.add('a', `${each}`, `${each}`)
    for (let each = 0; each < 5; each += 1) of.add('a', `${each}`, `${each}`)
    for (let each = 0; each < 5; each += 1) await end(`${each}`)
    expect(begun).toEqual(['0', '1', '2', '3', '4'])
    of.add('a', '0', '0')
    expect(begun).toHaveLength(6)
  })

  it('that wait are forgotten on demand; whoever wants them all to have ended waits for those that run', async () => {
    const { turns: of, begun, end } = turns()
    for (let each = 0; each < 5; each += 1) of.add('a', `${each}`, `${each}`)
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
})
