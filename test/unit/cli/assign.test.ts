import { describe, expect, it } from 'vitest'
import { CONFIG, Stage } from './stage.js'

async function stage(tenants: object = { acme: {}, globex: {} }): Promise<Stage> {
  const on = new Stage()
  await on.traffic()
  on.write('bursar.config.json', { ...CONFIG, scopes: { tenant: tenants }, store: 'sqlite:./bursar.db' })
  return on
}

const costs = async (on: Stage): Promise<Record<string, string>> => Object.fromEntries((await on.json('report', 'clients')).map(({ client, cost }: { client: string; cost: string }) => [client, cost]))

describe('bursar assign', () => {
  it('says what it would book, and books it when it is told to', async () => {
    const on = await stage()
    const args = ['assign', '--tenant', 'globex', '--where', 'metadata.project=search', '--reason', 'ticket']
    expect(await on.ok(...args)).toBe('5 entries of $0.05 and 500 tokens would be booked to tenant "globex". Add --yes to do it.\n')
    expect(await costs(on)).toEqual({ acme: '0.55', unassigned: '0.05' })
    expect(await on.json(...args)).toEqual({ tenant: 'globex', done: false, entries: 5, cost: '0.05', tokens: '500', byTenant: [{ tenant: 'globex', entries: 5, cost: '0.05', tokens: '500' }] })
    expect(await on.ok(...args, '--yes')).toBe('5 entries of $0.05 and 500 tokens booked to tenant "globex".\n')
    expect(await costs(on)).toMatchObject({ acme: '0.55', globex: '0.05' })
    for (const more of [[], ['--yes']]) expect(await on.json(...args, ...more)).toMatchObject({ entries: 0, cost: '0.00' })
    expect(await on.ok('usage', '--json', '--tenant', 'globex', '--limit', '1')).toContain('ticket')
  })

  it('shows nothing of what was booked before, whatever the filter leaves out', async () => {
    const on = await stage()
    const args = ['assign', '--where', 'kind=recorded', '--tenant']
    await on.ok(...args, 'globex', '--yes')
    expect(await on.ok(...args, 'acme')).toBe('0 entries of $0.00 and 0 tokens would be booked to tenant "acme". Add --yes to do it.\n')
    expect(await on.json(...args, 'acme')).toEqual({ tenant: 'acme', done: false, entries: 0, cost: '0.00', tokens: '0', byTenant: [] })
  })

  it('says apart what goes to another tenant, because it corrects what was booked to that one', async () => {
    const on = await stage()
    const args = ['assign', '--tenant', 'acme', '--from', '1970']
    await on.engine(async (bursar) => {
      const [first] = (await bursar.tracker.ledger.query({ where: { userId: 'ada', kind: 'recorded' } })).entries
      await bursar.tracker.ledger.assign({ where: { userId: 'ada' } }, { tenant: 'globex' })
      await bursar.tracker.refund({ userId: 'ada', cost: '0.004', decisionId: first?.decisionId })
    })
    const follows = '1 entry of −$0.004 and 0 tokens would be booked to tenant "globex", to whom what it corrects was booked before.'
    expect(await on.ok(...args)).toBe(`0 entries of $0.00 and 0 tokens would be booked to tenant "acme".\n${follows} Add --yes to do it.\n`)
    await on.engine((bursar) => bursar.tracker.addCost({ userId: 'eve', cost: 2, tokens: 7 }))
    expect(await on.ok(...args)).toBe(`1 entry of $2.00 and 7 tokens would be booked to tenant "acme".\n${follows} Add --yes to do it.\n`)
    const booked = { entries: 2, cost: '1.996', tokens: '7', byTenant: [{ tenant: 'acme', entries: 1, cost: '2.00', tokens: '7' }, { tenant: 'globex', entries: 1, cost: '-0.004', tokens: '0' }] }
    expect(await on.json(...args)).toEqual({ tenant: 'acme', done: false, ...booked })
    expect(await on.json(...args, '--yes')).toEqual({ tenant: 'acme', done: true, ...booked })
    expect(await costs(on)).toMatchObject({ acme: '2.55', globex: '0.046' })
  })

  it('books only to tenants that the configuration knows, unless it is forced to', async () => {
    const on = await stage()
    const args = ['assign', '--tenant', 'globbex', '--user', 'ada', '--yes']
    expect(await on.run(args)).toMatchObject({ code: 2, errors: expect.stringContaining('--tenant: "globbex" is no tenant of') })
    expect(await costs(on)).toEqual({ acme: '0.55', unassigned: '0.05' })
    await on.ok(...args, '--force')
    expect(await costs(on)).toMatchObject({ globbex: '0.05' })
    expect((await (await stage({ '*': {} })).run(args)).code).toBe(0)
  })

  it.each([[], ['--tenant', ''], ['--tenant', 'acme'], ['--tenant', 'acme', '--user', 'ada', '--reason', ''], ['--tenant', 'acme', '--kind', 'settled'], ['--tenant', 'acme', '--where', 'tenant=globex'], ['--tenant', 'acme', '--where', 'project=x'], ['--tenant', 'acme', '--from', 'soon']])('refuses %s %s %s %s, and books nothing', async (...args) => {
    const on = await stage()
    const { code, out, errors } = await on.run(['assign', ...args, '--yes'])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(errors).toMatch(/^bursar: [^\n]+\n$/)
    expect(await costs(on)).toEqual({ acme: '0.55', unassigned: '0.05' })
  })
})
