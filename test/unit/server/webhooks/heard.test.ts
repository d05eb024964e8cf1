// What was heard of and is not written yet.

import { describe, expect, it } from 'vitest'
import { Heard, type Noted } from '../../../../src/server/webhooks/heard.js'

const noted = (isThreshold: boolean, tenant?: string): Noted => ({ isThreshold, tenant, happening: () => ({ type: 'request.denied', identity: 'x', tenant, messageFor: () => undefined }) })

describe('what was heard of', () => {
  it('is written in its order, thresholds before denials', () => {
    const heard = new Heard()
    const all = [noted(false), noted(true), noted(false, 'acme'), noted(true)]
    for (const each of all) expect(heard.note(each)).toBe(true)
    const order: Noted[] = []
    for (let first = heard.first; first !== undefined; first = heard.first) {
      order.push(first)
      heard.wrote(first)
    }
    expect(order).toEqual([all[1], all[3], all[0], all[2]])
  })

  it('has room for a thousand denials of one tenant: others, and thresholds, are heard still', () => {
    const heard = new Heard()
    const first = noted(false, 'evil')
    heard.note(first)
    for (let each = 1; each < 1_000; each += 1) expect(heard.note(noted(false, 'evil'))).toBe(true)
    expect(heard.note(noted(false, 'evil'))).toBe(false)
    for (const each of [noted(false, 'acme'), noted(false)]) expect(heard.note(each)).toBe(true)
    heard.wrote(first)
    expect(heard.note(noted(false, 'evil'))).toBe(true)
    expect(heard.note(noted(true))).toBe(true)
  })

  it('keeps whoever waits until the thresholds before are written, and no longer', async () => {
    const heard = new Heard()
    const [one, two] = [noted(true), noted(true)]
    heard.note(one)
    let isWritten = false
    const written = heard.written()?.then(() => (isWritten = true))
    heard.note(two)
    await Promise.resolve()
    expect(isWritten).toBe(false)
    heard.wrote(one)
    await written
    const later = heard.written()
    heard.gaveUp()
    await later
    heard.wrote(two)
    expect(heard.written()).toBeUndefined()
  })
})
