// Listeners cannot reach the one who emits, nor each other.

import { describe, expect, it, vi } from 'vitest'
import { EventHub } from '../../../src/events/index.js'

interface Events {
  spent: number
  'listener-error': { readonly event: string; readonly error: unknown }
}

function hub() {
  const lost = vi.fn()
  return { lost, events: new EventHub<Events>(lost) }
}

describe('EventHub', () => {
  it('tells every listener, once for each event, until it is taken off', () => {
    const { events } = hub()
    const a = vi.fn()
    const b = vi.fn()
    events.on('spent', a).on('spent', b).on('spent', a)
    expect(events.hears('spent')).toBe(true)
    events.emit('spent', 1)
    events.off('spent', a)
    events.emit('spent', 2)
    events.off('spent', b).off('spent', b)
    events.emit('spent', 3)
    expect(a.mock.calls).toEqual([[1]])
    expect(b.mock.calls).toEqual([[1], [2]])
    expect(events.hears('spent')).toBe(false)
  })

  it('tells a listener of once only once, also where it listens again in between', () => {
    const { events } = hub()
    const listener = vi.fn(() => void (listener.mock.calls.length < 2 && events.emit('spent', 2)))
    events.once('spent', listener)
    events.emit('spent', 1)
    events.emit('spent', 3)
    expect(listener.mock.calls).toEqual([[1]])
    expect(events.hears('spent')).toBe(false)
  })

  it('takes a listener of once off again', () => {
    const { events } = hub()
    const listener = vi.fn()
    events.once('spent', listener).off('spent', listener)
    events.emit('spent', 1)
    expect(listener).not.toHaveBeenCalled()
  })

  it('reports a listener that throws or rejects, and tells the others', async () => {
    const { events, lost } = hub()
    const errors = vi.fn()
    const other = vi.fn()
    events.on('listener-error', errors)
    events.on('spent', () => { throw new Error('now') }).on('spent', async () => { throw new Error('later') }).on('spent', other)
    events.emit('spent', 1)
    await Promise.resolve()
    await Promise.resolve()
    expect(other).toHaveBeenCalledWith(1)
    expect(errors.mock.calls.map(([event]) => [event.event, String(event.error)])).toEqual([['spent', 'Error: now'], ['spent', 'Error: later']])
    expect(lost).not.toHaveBeenCalled()
  })

  it('writes down what nobody hears, and never runs in circles', () => {
    const { events, lost } = hub()
    events.on('spent', () => { throw new Error('unheard') })
    events.emit('spent', 1)
    events.on('listener-error', () => { throw new Error('worse') })
    events.emit('spent', 2)
    expect(lost.mock.calls.map(([line]) => line)).toEqual([expect.stringContaining('"spent" failed: Error: unheard'), expect.stringContaining('"listener-error" failed: Error: worse')])
  })

  it('forgets every listener', () => {
    const { events } = hub()
    const listener = vi.fn()
    events.on('spent', listener).clear()
    events.emit('spent', 1)
    events.on('spent', listener)
    events.emit('spent', 2)
    expect(listener.mock.calls).toEqual([[2]])
  })
})
