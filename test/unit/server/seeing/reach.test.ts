// Whose entries a caller reads: nothing that is asked changes that.

import { describe, expect, it } from 'vitest'
import { Caller } from '../../../../src/server/caller.js'
import { ownEntries, reachKey, within } from '../../../../src/server/seeing/reach.js'
import { caller, OPERATOR } from '../../../support/server/app.js'

const operator = new Caller(OPERATOR)
const acme = new Caller(caller(['read'], 'acme'))
const ada = new Caller(caller(['read'], 'acme', 'ada'))
const free = new Caller(caller(['read'], undefined, 'ada'))

describe('the reach of a caller', () => {
  it('stands over whatever is asked', () => {
    const asked = { tenant: ['globex', null], userId: 'bob', model: 'm' }
    expect(within(operator, asked)).toEqual(asked)
    expect(within(acme, asked)).toEqual({ tenant: 'acme', userId: 'bob', model: 'm' })
    expect(within(ada, asked)).toEqual({ tenant: 'acme', userId: 'ada', model: 'm' })
  })

  it('of a user without a tenant is of entries without one', () => {
    expect(ownEntries(free)).toEqual({ tenant: null, userId: 'ada' })
  })

  it('has a name that no other one has', () => {
    const keys = [operator, acme, ada, free, new Caller(caller(['read'], 'null')), new Caller(caller(['read'], 'ada'))].map(reachKey)
    expect(new Set(keys).size).toBe(keys.length)
    expect(reachKey(new Caller(caller(['admin'], 'acme')))).toBe(reachKey(acme))
  })
})
