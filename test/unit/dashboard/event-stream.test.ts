import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { EventReader } from '../../../src/dashboard/data/event-stream.js'

describe('server-sent events', () => {
  it('are read whole, with their names and lines of data', () => {
    const events = new EventReader().read(': heartbeat\n\nevent: settled\ndata: {"a":\ndata: 1}\n\ndata:plain\nid: 7\n\nevent: nothing\n\n')
    expect(events).toEqual([
      { name: 'settled', data: '{"a":\n1}' },
      { name: 'message', data: 'plain' },
    ])
  })

  it('are the same however the text is cut, and whichever ends its lines have', () => {
    const cuts = fc.array(fc.nat(60), { maxLength: 8 })
    fc.assert(
      fc.property(cuts, fc.constantFrom('\n', '\r\n'), (places, end) => {
        const text = ['event: a', 'data: 1', '', ': beat', '', 'data: 2', 'data: 3', '', ''].join(end)
        const reader = new EventReader()
        const edges = [0, ...places.map((place) => Math.min(place, text.length)).sort((a, b) => a - b), text.length]
        const events = edges.slice(1).flatMap((edge, index) => reader.read(text.slice(edges[index], edge)))
        expect(events).toEqual([
          { name: 'a', data: '1' },
          { name: 'message', data: '2\n3' },
        ])
      }),
      { examples: [[[7], '\r\n'], [[8], '\r\n'], [[9], '\r\n']] },
    )
  })

  it('are not told before they are complete', () => {
    const reader = new EventReader()
    expect(reader.read('data: half')).toEqual([])
    expect(reader.read(' an event\n')).toEqual([])
    expect(reader.read('\n')).toEqual([{ name: 'message', data: 'half an event' }])
  })
})
