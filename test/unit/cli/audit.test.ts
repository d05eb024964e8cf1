import { describe, expect, it } from 'vitest'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import { Stage } from './stage.js'

const DAY = Date.UTC(2026, 10, 22)

/** A counter says a cent more than was spent. */
async function tampered(): Promise<Stage> {
  const on = new Stage()
  await on.traffic()
  const store = sqliteStore({ path: on.path('bursar.db'), clock: () => on.now })
  await store.auditor?.correct([{ scope: { kind: 'user', id: 'ada' }, window: 'daily/usd', startsAt: DAY, endsAt: DAY + 86_400_000, spent: 1_000_000, held: 0, entries: 0 }])
  await store.close()
  return on
}

describe('bursar audit', () => {
  it('finds nothing where nothing is wrong', async () => {
    const on = new Stage()
    await on.traffic()
    expect(await on.run(['audit'])).toMatchObject({ code: 0, out: expect.stringMatching(/^clean: 11 entries, 0 open holds/), errors: 'Nothing differs.\n' })
  })

  it('ends with 3 where something differs, names it, and changes nothing unless it is told', async () => {
    const on = await tampered()
    for (let time = 0; time < 2; time += 1) {
      const { code, out } = await on.run(['audit'])
      expect(code).toBe(3)
      expect(out).toMatch(/^user ada +daily\/usd +2026-11-22 00:00:00 +spent +\$0\.06 +\$0\.05 +now$/m)
    }
  })

  it('repairs the counters by the ledger', async () => {
    const on = await tampered()
    const found = await on.json('audit', '--repair', 'counters')
    expect(found).toMatchObject({ status: 'repaired', differences: [] })
    expect(found.repaired).toContainEqual({ scope: { kind: 'user', id: 'ada' }, window: 'daily/usd', unit: 'usd', startsAt: '2026-11-22T00:00:00.000Z', what: 'spent', counted: '0.06', expected: '0.05' })
    expect((await on.json('audit')).status).toBe('clean')
    expect((await on.json('budget', 'ada')).windows[0].spent).toBe('0.05')
  })

  it('repairs the ledger by the counters', async () => {
    const on = await tampered()
    await on.ok('audit', '--repair', 'ledger')
    expect((await on.json('audit')).status).toBe('clean')
    expect((await on.json('budget', 'ada')).windows[0].spent).toBe('0.06')
  })

  it('refuses a repair that is none', async () => {
    expect(await (await tampered()).run(['audit', '--repair', 'everything'])).toMatchObject({ code: 2, out: '' })
  })
})
