import { describe, expect, it } from 'vitest'
import { KeyBook } from '../../../src/server/keys/index.js'
import type { Caller } from '../../../src/server/caller.js'
import { CONFIG, NOW, Stage } from './stage.js'

function stage(): Stage {
  const made = new Stage()
  made.write('bursar.config.json', { ...CONFIG, store: 'sqlite:./bursar.db' })
  return made
}

/** What a server on the same store says to a token. */
async function ask(on: Stage, token: string): Promise<Caller | undefined> {
  return on.engine(({ tracker }) => new KeyBook({ registry: tracker.registry, clock: () => on.now, mayBeOpen: false }).authenticate(token))
}

describe('bursar keys', () => {
  it('makes a key that a server on the store knows; stdout has the key and nothing else', async () => {
    const on = stage()
    const { code, out, errors } = await on.run(['keys', 'create', '--name', 'backend', '--role', 'check,read', '--tenant', 'acme'])
    expect(code).toBe(0)
    expect(out).toMatch(/^bursar_[0-9a-f]{16}_[\w-]{43}\n$/)
    expect(errors).toMatch(/^name +backend\nroles +check, read\ntenant +acme\nKey [0-9a-f]{16} was made\. It is shown this once/)
    expect(errors).not.toContain(out.trim().slice(24))
    expect(await ask(on, out.trim())).toMatchObject({ name: 'backend', roles: ['check', 'read'], tenant: 'acme' })
  })

  it('lists keys without their secrets, rotates and revokes them', async () => {
    const on = stage()
    const { key, token } = await on.json('keys', 'create', '--name', 'ada', '--role', 'read', '--user', 'ada', '--expires', '90d')
    expect(key).toMatchObject({ userId: 'ada', expiresAt: new Date(NOW + 90 * 86_400_000).toISOString() })
    const listed = await on.ok('keys')
    expect(listed).toMatch(new RegExp(`^${key.id} +ada +read +– +ada +active +1 valid +2026-11-22 12:00:00 +2027-02-20 12:00:00$`, 'm'))
    expect(await on.json('keys', 'list')).toEqual(key)
    expect(await on.ok('keys', 'list', '--tenant', 'acme', '--json')).toBe('')
    const after = (await on.ok('keys', 'rotate', key.id, '--grace', '1h')).trim()
    expect(await on.ok('keys', 'list')).toContain('active  2 valid, earlier until 2026-11-22 13:00:00')
    on.now += 3_599_999
    for (const each of [token, after]) expect(await ask(on, each)).toBeDefined()
    on.now += 1
    expect(await ask(on, token)).toBeUndefined()
    const last = (await on.ok('keys', 'rotate', key.id, '--grace', '0')).trim()
    expect([await ask(on, after), await ask(on, last)].map((caller) => caller !== undefined)).toEqual([false, true])
    expect(await on.run(['keys', 'revoke', key.id])).toMatchObject({ code: 0, out: '', errors: expect.stringContaining('was revoked') })
    expect(await ask(on, last)).toBeUndefined()
    expect(await on.run(['keys', 'revoke', key.id])).toMatchObject({ code: 1, errors: expect.stringContaining('was revoked already') })
    expect(await on.ok('keys')).toContain('revoked 2026-11-22 13:00:00  0 valid')
    on.now += 30 * 86_400_000
    expect((await on.run(['keys'])).errors).toContain('There are no keys.')
  })

  it.each([
    [['create', '--role', 'read'], /--name/],
    [['create', '--name', 'x'], /--role/],
    [['create', '--name', 'x', '--role', 'root'], /--role: "root" is no role/],
    [['create', '--name', 'x', '--role', 'admin', '--user', 'ada'], /never an admin/],
    [['create', '--name', 'x', '--role', 'read', '--expires', '2020-01-01'], /is over/],
    [['create', '--name', 'x', '--role', 'read', '--expires', 'soon'], /--expires/],
    [['create', '--name', '', '--role', 'read'], /name/],
  ])('refuses %j', async (args, message) => {
    const on = stage()
    const { code, out, errors } = await on.run(['keys', ...args])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(errors).toMatch(message)
  })

  it('says of a store in which there are keys that they are there, and not that it is empty', async () => {
    const on = stage()
    await on.ok('keys', 'create', '--name', 'x', '--role', 'read')
    expect(await on.run(['keys', 'list'])).toMatchObject({ code: 0, errors: '' })
  })

  it('does not repeat a whole key that was given for its id', async () => {
    const on = stage()
    const token = (await on.ok('keys', 'create', '--name', 'x', '--role', 'read')).trim()
    const { code, errors } = await on.run(['keys', 'revoke', token, '--debug'])
    expect(code).toBe(1)
    expect(errors).not.toContain(token.slice(24))
  })
})
