// API keys over HTTP: who may make, see and end which.

import { afterEach, describe, expect, it } from 'vitest'
import { caller, OPERATOR, testApp, type TestApp } from '../../../support/server/app.js'

const ACME = caller(['admin'], 'acme')
const OTHER = caller(['admin'], 'other')
const NEW = { name: 'backend', roles: ['check', 'read'] }

let server: TestApp
afterEach(() => server.close())

describe('/v1/keys', () => {
  it('makes a key that works at once, is listed without its secret, and ends when it is revoked', async () => {
    server = testApp()
    const made = await server.ask(OPERATOR, 'POST', '/v1/keys', { ...NEW, expiresAt: '2999-01-01T00:00:00+01:00' })
    expect(made.status).toBe(201)
    const { key, token } = made.json
    expect(key).toMatchObject({ name: 'backend', roles: ['check', 'read'], state: 'active', expiresAt: '2998-12-31T23:00:00.000Z' })
    expect(made.headers.get('cache-control') ?? 'no-store').toBe('no-store')
    expect(await server.service.keys.authenticate(token)).toMatchObject({ keyId: key.id })
    const listed = await server.ask(OPERATOR, 'GET', '/v1/keys')
    expect(listed).toMatchObject({ status: 200, json: { items: [key] } })
    expect(listed.text).not.toContain(token.slice(24))
    expect(await server.ask(OPERATOR, 'DELETE', `/v1/keys/${key.id}`)).toMatchObject({ status: 204, text: '' })
    expect(await server.ask(OPERATOR, 'DELETE', `/v1/keys/${key.id}`)).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } })
    expect(await server.service.keys.authenticate(token)).toBeUndefined()
    expect(await server.ask(OPERATOR, 'GET', `/v1/keys/${key.id}`)).toMatchObject({ status: 200, json: { id: key.id, state: 'revoked', revokedAt: expect.any(String), secrets: { valid: 0 } } })
    expect(await server.ask(OPERATOR, 'GET', '/v1/keys/0000000000000000')).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } })
    expect(JSON.stringify(server.logged)).not.toContain(token.slice(24))
  })

  it('gives a key another secret, with a grace for the one before', async () => {
    server = testApp()
    const { key, token } = (await server.ask(OPERATOR, 'POST', '/v1/keys', NEW)).json
    const rotated = await server.ask(OPERATOR, 'POST', `/v1/keys/${key.id}/rotate`)
    expect(rotated).toMatchObject({ status: 200, json: { key: { ...key, secrets: { valid: 2, earlierUntil: expect.any(String) } } } })
    expect(await server.service.keys.authenticate(token)).toBeDefined()
    for (let round = 0; round < 3; round += 1) await server.ask(OPERATOR, 'POST', `/v1/keys/${key.id}/rotate`)
    expect(await server.ask(OPERATOR, 'POST', `/v1/keys/${key.id}/rotate`)).toMatchObject({ status: 409, json: { code: 'CONFLICT' } })
    const again = await server.ask(OPERATOR, 'POST', `/v1/keys/${key.id}/rotate`, { graceMs: 0 })
    for (const gone of [token, rotated.json.token]) expect(await server.service.keys.authenticate(gone)).toBeUndefined()
    expect(await server.service.keys.authenticate(again.json.token)).toBeDefined()
    expect(await server.ask(OPERATOR, 'POST', `/v1/keys/${key.id}/rotate`, { graceMs: -1 })).toMatchObject({ status: 422 })
    expect(await server.ask(OPERATOR, 'POST', '/v1/keys/0000000000000000/rotate', {})).toMatchObject({ status: 404 })
  })

  it('keeps the keys of a tenant, and of the operator, from the admins of another', async () => {
    server = testApp()
    const acmes = (await server.ask(ACME, 'POST', '/v1/keys', { name: 'of acme', roles: ['admin'] })).json
    expect(acmes.key.tenant).toBe('acme')
    const operators = (await server.ask(OPERATOR, 'POST', '/v1/keys', NEW)).json
    const ofUser = (await server.ask(OPERATOR, 'POST', '/v1/keys', { ...NEW, userId: 'ada' })).json
    const ids = async (as: typeof ACME, query = ''): Promise<string[]> => (await server.ask(as, 'GET', `/v1/keys${query}`)).json.items.map(({ id }: { id: string }) => id).sort()
    expect(await ids(ACME)).toEqual([acmes.key.id])
    expect(await ids(OTHER)).toEqual([])
    expect(await ids(OPERATOR)).toEqual([acmes, operators, ofUser].map(({ key }) => key.id).sort())
    expect(await ids(OPERATOR, '?tenant=acme')).toEqual([acmes.key.id])
    expect((await server.ask(OTHER, 'GET', '/v1/keys?tenant=acme')).status).toBe(403)
    for (const { key, token } of [acmes, operators, ofUser]) {
      expect((await server.ask(OTHER, 'GET', `/v1/keys/${key.id}`)).status).toBe(404)
      expect((await server.ask(OTHER, 'DELETE', `/v1/keys/${key.id}`)).status).toBe(404)
      expect((await server.ask(OTHER, 'POST', `/v1/keys/${key.id}/rotate`, { graceMs: 0 })).status).toBe(404)
      expect(await server.service.keys.authenticate(token)).toBeDefined()
    }
    expect((await server.ask(ACME, 'POST', '/v1/keys', { ...NEW, tenant: 'other' })).status).toBe(403)
    expect((await server.ask(ACME, 'DELETE', `/v1/keys/${acmes.key.id}`)).status).toBe(204)
  })

  it('needs the role admin', async () => {
    server = testApp()
    const asks = [['POST', '/v1/keys', NEW], ['GET', '/v1/keys'], ['GET', '/v1/keys/0000000000000000'], ['DELETE', '/v1/keys/0000000000000000'], ['POST', '/v1/keys/0000000000000000/rotate', {}]] as const
    for (const [method, path, sent] of asks) {
      expect((await server.ask(caller(['check', 'read']), method, path, sent)).status).toBe(403)
      expect((await server.ask(caller(['read'], 'acme', 'ada'), method, path, sent)).status).toBe(403)
      expect((await server.ask(undefined, method, path, sent)).status).toBe(401)
    }
    expect(await server.service.keys.list()).toEqual([])
  })

  it.each([
    ['no name', { roles: ['read'] }, /name/],
    ['a role that there is not', { name: 'x', roles: ['root'] }, /roles/],
    ['a user who is an admin', { name: 'x', roles: ['admin'], userId: 'ada' }, /never an admin/],
    ['a time that is none', { name: 'x', roles: ['read'], expiresAt: 'soon' }, /expiresAt/],
    ['a time that is over', { name: 'x', roles: ['read'], expiresAt: '2001-01-01T00:00:00Z' }, /expiresAt.*is over/],
    ['a field that it does not have', { name: 'x', roles: ['read'], scope: 1 }, /scope/],
    ['half a character', { name: 'x', roles: ['read'], tenant: '\ud800' }, /tenant/],
  ])('makes none of %s', async (_what, sent, message) => {
    server = testApp()
    const answer = await server.ask(OPERATOR, 'POST', '/v1/keys', sent)
    expect(answer.status).toBe(422)
    expect(answer.json.detail).toMatch(message)
  })
})
