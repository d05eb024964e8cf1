// Keys of scopes: two different scopes never share one.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assertId, parseScopeKey, parseUserKey, scopeKey, sessionOf, sessionScope, toUserRef, userScope } from '../../../src/budget/index.js'

const id = fc.string({ unit: fc.constantFrom('a', '/', '%', '2', 'F', ':', 'ü', ' ', '.'), minLength: 1, maxLength: 6 }).filter((text) => /\S/.test(text))
const user = fc.record({ userId: id, tenant: fc.option(id, { nil: undefined }) }).map(({ userId, tenant }) => (tenant === undefined ? { userId } : { userId, tenant }))

describe('scope keys', () => {
  it('are different for different users, and lead back to the user', () => {
    fc.assert(
      fc.property(user, user, (a, b) => {
        const same = a.userId === b.userId && a.tenant === b.tenant
        expect(scopeKey(userScope(a)) === scopeKey(userScope(b))).toBe(same)
        expect(parseUserKey(scopeKey(userScope(a)))).toEqual(a)
      }),
      { numRuns: 2_000 },
    )
  })

  it('are different for sessions of different users, and lead back to user and session', () => {
    fc.assert(
      fc.property(user, id, user, id, (a, session, b, session2) => {
        const same = a.userId === b.userId && a.tenant === b.tenant && session === session2
        expect(scopeKey(sessionScope(a, session)) === scopeKey(sessionScope(b, session2))).toBe(same)
        expect(sessionOf(parseScopeKey(scopeKey(sessionScope(a, session))))).toEqual({ user: a, sessionId: session })
      }),
      { numRuns: 2_000 },
    )
    expect(sessionOf(userScope({ userId: 'a/b' }))).toBeUndefined()
  })

  it('are different for different kinds', () => {
    fc.assert(
      fc.property(id, id, id, id, (kind, name, kind2, name2) => {
        expect(scopeKey({ kind, id: name }) === scopeKey({ kind: kind2, id: name2 })).toBe(kind === kind2 && name === name2)
      }),
    )
    expect(parseUserKey(scopeKey({ kind: 'team', id: 'u' }))).toBeUndefined()
    expect(parseUserKey(scopeKey({ kind: 'users', id: 'u' }))).toBeUndefined()
  })
})

describe('toUserRef', () => {
  it('takes an id or an id with a tenant', () => {
    expect(toUserRef('u')).toEqual({ userId: 'u' })
    expect(toUserRef({ userId: 'u', tenant: 't' })).toEqual({ userId: 'u', tenant: 't' })
  })

  it.each([[''], ['  '], [{ userId: '' }], [{ userId: 'u', tenant: '' }], [{ tenant: 't' }], [{ userId: 'u', id: 'x' }], [null], [undefined], [5], ['a\nb'], ['x'.repeat(257)]])('refuses %j', (value) => {
    expect(() => toUserRef(value as never)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })

  it('names the field that is no id', () => {
    expect(() => assertId(undefined, 'sessionId')).toThrow('sessionId: is missing')
    expect(() => assertId('', 'sessionId')).toThrow('sessionId: "" is no id')
    expect(() => assertId('é'.repeat(256), 'sessionId')).not.toThrow()
  })
})
