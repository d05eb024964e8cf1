// Cases of the store contract: small facts that processes share, each with a version, for as long as the store's clock says.

import type { Registry } from '../../store/index.js'
import { Bench, equal, MINUTE, SECOND, userOf, windowOf, type StoreContractCase } from './kit.js'

const START = Date.UTC(2026, 0, 15, 12)
const NEW = { expected: 0 }

/** Writes what must be written, and gives its version. */
async function put(registry: Registry, kind: string, key: string, value: string | null, expected = 0, ttlMs?: number): Promise<number> {
  const version = await registry.put(kind, key, value, { expected, ...(ttlMs !== undefined && { ttlMs }) })
  if (version === undefined) throw new Error(`put ${kind} "${key}" at version ${expected}: is refused, must be written`)
  return version
}

async function listed(registry: Registry, kind: string): Promise<[string, string, number][]> {
  const records: [string, string, number][] = []
  for await (const { key, value, version } of registry.list(kind)) records.push([key, value, version])
  return records.sort(([a], [b]) => (a < b ? -1 : 1))
}

const writingCases: readonly StoreContractCase[] = [
  {
    name: 'keeps a record with its version, and knows none that was not written',
    async run(open) {
      const { registry } = (await Bench.at(open)).store
      equal(await registry.get('customer', 'cus_1'), undefined, 'before it is written')
      const version = await put(registry, 'customer', 'cus_1', 'ann')
      equal(await registry.get('customer', 'cus_1'), { value: 'ann', version }, 'what was written')
      equal(await registry.get('customer', 'cus_2'), undefined, 'another key')
      const empty = await put(registry, 'customer', 'cus_3', '')
      equal(await registry.get('customer', 'cus_3'), { value: '', version: empty }, 'an empty value')
    },
  },
  {
    name: 'writes only over the version that was read',
    async run(open) {
      const { registry } = (await Bench.at(open)).store
      equal(await registry.put('job', 'a', 'x', { expected: 5 }), undefined, 'over a version where there is no record')
      equal(await registry.get('job', 'a'), undefined, 'what it left')
      const first = await put(registry, 'job', 'a', 'one')
      equal(await registry.put('job', 'a', 'two', NEW), undefined, 'as if there were no record')
      equal(await registry.put('job', 'a', 'two', { expected: first + 1 }), undefined, 'over a later version')
      equal(await registry.get('job', 'a'), { value: 'one', version: first }, 'what stands')
      const second = await put(registry, 'job', 'a', 'two', first)
      equal(await registry.put('job', 'a', 'three', { expected: first }), undefined, 'over the version before')
      equal(await registry.get('job', 'a'), { value: 'two', version: second }, 'what stands then')
    },
  },
  {
    name: 'deletes only the version that was read, and makes a record anew only where none is expected',
    async run(open) {
      const { registry } = (await Bench.at(open)).store
      const first = await put(registry, 'job', 'a', 'one')
      equal(await registry.put('job', 'a', null, { expected: first - 1 }), undefined, 'a deletion of another version')
      equal(await registry.put('job', 'a', null, NEW), undefined, 'a deletion of what is said not to be there')
      equal(await registry.get('job', 'a'), { value: 'one', version: first }, 'what stands')
      const deleted = await put(registry, 'job', 'a', null, first)
      equal(await registry.get('job', 'a'), undefined, 'what was deleted')
      equal(await registry.put('job', 'a', 'again', { expected: first }), undefined, 'over the version that was deleted')
      equal(await registry.put('job', 'a', 'again', { expected: deleted }), undefined, 'over the version of the deletion')
      const again = await put(registry, 'job', 'a', 'again')
      equal(await registry.get('job', 'a'), { value: 'again', version: again }, 'what was made anew')
    },
  },
  {
    name: 'never gives a version twice, gives them in order whatever they are of, and none below store time',
    async run(open) {
      const bench = await Bench.at(open)
      const { registry } = bench.store
      const versions: number[] = []
      const note = async (kind: string, key: string, value: string | null, expected = 0): Promise<number> => {
        const version = await put(registry, kind, key, value, expected)
        versions.push(version)
        return version
      }
      for (let round = 0; round < 20; round += 1) {
        const first = await note('lock', 'a', 'mine')
        await note('event', `evt_${round}`, 'seen')
        await note('customer', 'a', `ann ${round}`, (await registry.get('customer', 'a'))?.version)
        await note('lock', 'a', null, first)
      }
      bench.clock.advance(MINUTE)
      const later = await note('lock', 'b', 'mine')
      bench.clock.set(START)
      await note('lock', 'c', 'mine')
      equal([...versions].sort((a, b) => a - b), versions, 'versions, in the order in which they were given')
      equal(new Set(versions).size, versions.length, 'how many there are')
      equal([(versions[0] as number) >= START, later >= START + MINUTE, versions.every(Number.isSafeInteger)], [true, true, true], 'whether they are store time or later')
    },
  },
  {
    name: 'lets one of many who write at once have it, and tells the others',
    async run(open) {
      const { registry } = (await Bench.at(open)).store
      const race = async (expected: number): Promise<[string, number]> => {
        const answers = await Promise.all(Array.from({ length: 12 }, (_, each) => registry.put('lock', 'a', `of ${each}`, { expected })))
        const winners = answers.flatMap((version, each) => (version === undefined ? [] : ([[`of ${each}`, version]] as [string, number][])))
        equal(winners.length, 1, `how many won over version ${expected}`)
        return winners[0] as [string, number]
      }
      const [first, version] = await race(0)
      equal(await registry.get('lock', 'a'), { value: first, version }, 'what the winner wrote')
      const [second, next] = await race(version)
      equal(await registry.get('lock', 'a'), { value: second, version: next }, 'what the next winner wrote')
      const deletions = await Promise.all(Array.from({ length: 6 }, () => registry.put('lock', 'a', null, { expected: next })))
      equal(deletions.filter((each) => each !== undefined).length, 1, 'how many deleted it')
      const keys = Array.from({ length: 12 }, (_, each) => `key ${each}`)
      const versions = await Promise.all(keys.map((key) => put(registry, 'event', key, 'seen')))
      equal(new Set(versions).size, keys.length, 'different versions of different keys')
    },
  },
  {
    name: 'counts by compare-and-set without losing one, whoever counts',
    async run(open) {
      const { registry } = (await Bench.at(open)).store
      const countOne = async (): Promise<void> => {
        for (let attempt = 0; attempt < 100; attempt += 1) {
          const before = await registry.get('count', 'a')
          const value = String(Number(before?.value ?? 0) + 1)
          if ((await registry.put('count', 'a', value, { expected: before?.version ?? 0 })) !== undefined) return
        }
      }
      await Promise.all(Array.from({ length: 8 }, countOne))
      equal((await registry.get('count', 'a'))?.value, '8', 'the count')
    },
  },
]

const timeCases: readonly StoreContractCase[] = [
  {
    name: 'has a record until its time is over by the clock of the store, and not at that instant',
    async run(open) {
      const bench = await Bench.at(open)
      const { registry } = bench.store
      const version = await put(registry, 'lock', 'a', 'mine', 0, MINUTE)
      const kept = await put(registry, 'lock', 'b', 'for good')
      bench.clock.advance(MINUTE - 1)
      equal(await registry.get('lock', 'a'), { value: 'mine', version }, 'just before')
      equal(await listed(registry, 'lock'), [['a', 'mine', version], ['b', 'for good', kept]], 'the list just before')
      bench.clock.advance(1)
      equal(await registry.get('lock', 'a'), undefined, 'at its time')
      equal(await listed(registry, 'lock'), [['b', 'for good', kept]], 'the list at its time')
      bench.clock.set(START)
      equal(await registry.get('lock', 'a'), undefined, 'when the clock has gone back')
      bench.clock.advance(400 * 24 * 60 * MINUTE)
      equal(await registry.get('lock', 'b'), { value: 'for good', version: kept }, 'what has no time, a year later')
    },
  },
  {
    name: 'takes a record whose time is over for none, with a version that is never given again',
    async run(open) {
      const bench = await Bench.at(open)
      const { registry } = bench.store
      const first = await put(registry, 'lock', 'a', 'mine', 0, SECOND)
      bench.clock.advance(SECOND)
      equal(await registry.put('lock', 'a', 'still mine', { expected: first }), undefined, 'a write over what has lapsed')
      equal(await registry.put('lock', 'a', null, { expected: first }), undefined, 'a deletion of what has lapsed')
      const second = await put(registry, 'lock', 'a', 'yours')
      equal(second > first, true, 'whether the version is new')
      equal(await registry.get('lock', 'a'), { value: 'yours', version: second }, 'what stands')
    },
  },
  {
    name: 'keeps a record for as long as its last write says',
    async run(open) {
      const bench = await Bench.at(open)
      const { registry } = bench.store
      const longer = await put(registry, 'lock', 'longer', 'a', 0, SECOND)
      const always = await put(registry, 'lock', 'always', 'a', 0, SECOND)
      const shorter = await put(registry, 'lock', 'shorter', 'a')
      bench.clock.advance(SECOND - 1)
      await put(registry, 'lock', 'longer', 'b', longer, SECOND)
      await put(registry, 'lock', 'always', 'b', always)
      await put(registry, 'lock', 'shorter', 'b', shorter, SECOND)
      bench.clock.advance(SECOND - 1)
      equal((await listed(registry, 'lock')).map(([key]) => key), ['always', 'longer', 'shorter'], 'before the new times')
      bench.clock.advance(1)
      equal((await listed(registry, 'lock')).map(([key]) => key), ['always'], 'at the new times')
    },
  },
  {
    name: 'forgets many records whose time is over, and none other, while others are written',
    async run(open) {
      const bench = await Bench.at(open)
      const { registry } = bench.store
      for (let each = 0; each < 60; each += 1) await put(registry, each % 2 === 0 ? 'event' : 'lock', `old ${each}`, 'x', 0, SECOND + each)
      const kept = await put(registry, 'event', 'kept', 'x', 0, 60 * MINUTE)
      bench.clock.advance(MINUTE)
      const fresh: string[] = []
      for (let each = 0; each < 60; each += 1) {
        await put(registry, 'event', `new ${each}`, 'y', 0, MINUTE)
        fresh.push(`new ${each}`)
      }
      equal((await listed(registry, 'event')).map(([key]) => key), ['kept', ...fresh].sort(), 'what is listed')
      equal(await listed(registry, 'lock'), [], 'what is listed of the other kind')
      equal(await registry.get('event', 'kept'), { value: 'x', version: kept }, 'what is kept')
    },
  },
]

/** Keys in which something could be taken for syntax, or for another key. */
const KEYS = ['', 'a', 'A', ' a', 'a ', 'a/b', 'a%2Fb', 'a*', '*', '?', '[a]', 'a:b', '{a}', 'a\nb', 'a\tb', '"', "'", '\\', '日本', 'é', 'e\u0301', '🦄', '%', '_', '0', '-1', '__proto__', 'constructor', 'k'.repeat(256), `${'k'.repeat(255)}l`]

const namingCases: readonly StoreContractCase[] = [
  {
    name: 'keeps keys of any characters apart',
    async run(open) {
      const { registry } = (await Bench.at(open)).store
      const written: [string, string, number][] = []
      for (const key of KEYS) written.push([key, `of ${key}`, await put(registry, 'event', key, `of ${key}`)])
      for (const [key, value, version] of written) equal(await registry.get('event', key), { value, version }, `the record of "${key}"`)
      equal(await listed(registry, 'event'), written.sort(([a], [b]) => (a < b ? -1 : 1)), 'the list')
      for (const [key, , version] of written) await put(registry, 'event', key, null, version)
      equal(await listed(registry, 'event'), [], 'the list when all are deleted')
    },
  },
  {
    name: 'keeps kinds apart, and lists each',
    async run(open) {
      const { registry } = (await Bench.at(open)).store
      const event = await put(registry, 'event', 'a', 'an event')
      const lock = await put(registry, 'lock', 'a', 'a lock')
      const longer = await put(registry, 'locks', 'a', 'of a longer name')
      equal([await registry.get('event', 'a'), await registry.get('lock', 'a')], [{ value: 'an event', version: event }, { value: 'a lock', version: lock }], 'both')
      equal(await listed(registry, 'lock'), [['a', 'a lock', lock]], 'the list of one kind')
      equal(await listed(registry, 'nothing'), [], 'the list of a kind without records')
      await put(registry, 'lock', 'a', null, lock)
      equal([await listed(registry, 'lock'), await listed(registry, 'locks'), await listed(registry, 'event')], [[], [['a', 'of a longer name', longer]], [['a', 'an event', event]]], 'the lists after a deletion')
    },
  },
  {
    name: 'lists more records than are read at once, each once',
    async run(open) {
      const { registry } = (await Bench.at(open)).store
      const keys = Array.from({ length: 1_203 }, (_, each) => `key ${each}`)
      await Promise.all(keys.map((key) => put(registry, 'event', key, 'x')))
      const found = (await listed(registry, 'event')).map(([key]) => key)
      equal([found.length, new Set(found).size, keys.filter((key) => !found.includes(key))], [keys.length, keys.length, []], 'keys, different ones, and what is missing')
    },
  },
  {
    name: 'gives back values of any characters, also long ones',
    async run(open) {
      const { registry } = (await Bench.at(open)).store
      const values = ['x'.repeat(10_000), '日本🦄"\\\n\t{}[]%s'.repeat(700), JSON.stringify({ user: 'ann', at: START, note: '\u2028' }), ' ', 'null', '0', '-0', '1e3', '12345678901234567890']
      for (const [index, value] of values.entries()) {
        const version = await put(registry, 'event', `value ${index}`, value)
        equal(await registry.get('event', `value ${index}`), { value, version }, `value ${index}`)
      }
      equal((await listed(registry, 'event')).map(([, value]) => value), values, 'the list')
    },
  },
  {
    name: 'loses nothing of what is to be told of a hold that falls due while shared facts are written',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(10, { alerts: [50] }))]
      await bench.hold(ann, { id: 'a', microcents: 6, ttlMs: SECOND })
      bench.clock.advance(MINUTE)
      const version = await put(bench.store.registry, 'lock', 'a', 'mine')
      equal(await bench.store.registry.get('lock', 'a'), { value: 'mine', version }, 'the record')
      equal(await bench.counted(...ann), [[6, 0]], 'the window')
      equal(bench.effects.map(({ kind }) => kind), ['hold-expired', 'threshold'], 'what was told')
    },
  },
]

/** See the head of this file. */
export const registryCases: readonly StoreContractCase[] = [...writingCases, ...timeCases, ...namingCases]
