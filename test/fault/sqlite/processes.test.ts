// Several processes on one SQLite file: killed at random moments, and all at once at a limit.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { expectWholeBooks } from '../../support/sqlite/books.js'
import { temporaryFiles } from '../../support/sqlite/temporary-files.js'
import { acknowledged, Writers } from '../../support/sqlite/writers.js'

const KILLS = 100
const LANES = 3
const LONGEST_LIFE_MS = 40

describe('processes on one SQLite file', () => {
  const files = temporaryFiles()
  let writers: Writers
  beforeAll(async () => {
    writers = await Writers.bundled()
  })
  afterEach(() => files.removeAll())
  afterAll(() => writers.stop())

  it('may be killed at any moment: nothing acknowledged is lost, nothing is half done, no limit is exceeded', async () => {
    const path = files.path()
    const userIds = ['ann', 'bob', 'cem']
    const limit = 20_000
    const witnesses: string[] = []
    const lane = async (number: number): Promise<void> => {
      for (let kill = number; kill < KILLS; kill += LANES) {
        const witness = `${path}.witness-${kill}`
        witnesses.push(witness)
        const writer = writers.start({ path, witness, name: `w${kill}`, userIds, limit, mode: 'spend' })
        expect(await writer.next()).toEqual({ ready: true })
        // At any moment of its life: there is no condition to wait for.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_LIFE_MS))
        await writer.kill()
        expect(await writer.next(), 'what a killed writer had to say').toBeUndefined()
      }
    }
    await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)))
    const witnessed = witnesses.flatMap(acknowledged)
    expect(witnesses).toHaveLength(KILLS)
    const spent = await expectWholeBooks(path, userIds, limit, witnessed)
    console.log(`${KILLS} writers killed, ${witnessed.length} costs acknowledged, spent ${spent.join(', ')} of ${limit}`)
  })

  it('admit exactly what fits, eight at a time, and none fails because another writes', async () => {
    const path = files.path()
    const limit = 30_000
    const started = Array.from({ length: 8 }, (_, number) => {
      const witness = `${path}.witness-${number}`
      return { witness, writer: writers.start({ path, witness, name: `w${number}`, userIds: ['ann'], limit, mode: 'drain' }) }
    })
    for (const { writer } of started) expect(await writer.next()).toEqual({ waiting: true })
    for (const { writer } of started) writer.go()
    const admitted = await Promise.all(
      started.map(async ({ writer }) => {
        const first = await writer.next()
        const last = first?.ready === true ? await writer.next() : first
        expect(last, JSON.stringify(last)).toEqual({ admitted: expect.any(Number) as number })
        return last?.admitted ?? 0
      }),
    )
    expect(admitted.reduce((all, count) => all + count, 0)).toBe(limit / 10)
    expect(await expectWholeBooks(path, ['ann'], limit, started.flatMap(({ witness }) => acknowledged(witness)))).toEqual([limit])
    console.log(`admitted by eight processes: ${admitted.join(', ')}`)
  })
})
