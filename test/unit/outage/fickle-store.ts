// A shared store that is away on command: it refuses connections, says nothing, does what it is asked and loses the reply, or has
// lost its data. And an engine on it, whose time passes by hand.

import { vi } from 'vitest'
import { Bursar, memoryStore, StoreResetError, type BursarConfig, type Store } from '../../../src/index.js'
import { pageOf, sumsOf } from '../../../src/ledger/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { START } from '../setting.js'

export type Mood = 'well' | 'refuses' | 'hangs' | 'loses replies' | 'read-only' | 'reset'

const WRITES = ['reserve', 'settle', 'release', 'extend', 'record', 'refund', 'restart']

/** A memory store that several engines may share, and that behaves as `mood` says. `asked` are the operations that reached it. */
export class FickleStore {
  mood: Mood = 'well'
  /** The mood of single operations, and of single ids, where it is another. */
  readonly moods = new Map<string, Mood>()
  /** How many operations go well before the mood is that of `then`. */
  countdown: { left: number; readonly then: Mood } | undefined
  asked: { readonly operation: string; readonly argument: unknown }[] = []
  /** What is behind it: may be replaced by a store without the data. */
  inner: Store
  readonly store: Store

  constructor(inner: Store, isSynchronous = false) {
    this.inner = inner
    this.store = new Proxy(inner, {
      get: (_target, name: keyof Store) => {
        const target = this.inner
        if (name === 'shared') return true
        if (name === 'directory') {
          const get: Store['directory']['get'] = (user) => this.inner.directory.get(user)
          const change: Store['directory']['change'] = (user, changed) => this.inner.directory.change(user, changed)
          return { get: this.#does('directory', get, isSynchronous), change: this.#does('directory', change, isSynchronous) }
        }
        if (name === 'ledger') {
          const append: Store['ledger']['append'] = (...entries) => this.inner.ledger.append(...entries)
          const page: Store['ledger']['page'] = (...asked) => pageOf(this.inner.ledger, ...asked)
          const sums: Store['ledger']['sums'] = (...asked) => sumsOf(this.inner.ledger, ...asked)
          const totals: Store['ledger']['totals'] = () => this.inner.ledger.totals()
          return { append: this.#does('ledger', append, isSynchronous), entries: () => this.inner.ledger.entries(), totals: this.#does('ledger', totals, isSynchronous), page, sums }
        }
        if (name === 'registry') {
          const get: Store['registry']['get'] = (kind, key) => this.inner.registry.get(kind, key)
          const put: Store['registry']['put'] = (kind, key, value, write) => this.inner.registry.put(kind, key, value, write)
          return { get: this.#does('registry', get, isSynchronous), put: this.#does('registry', put, isSynchronous), list: (kind: string) => this.inner.registry.list(kind) }
        }
        const value: unknown = target[name]
        if (typeof value !== 'function') return value
        if (name === 'users') return value.bind(target)
        return this.#does(name, value.bind(target) as (...given: never[]) => unknown, isSynchronous)
      },
    })
  }

  /** How often an operation reached the store, probes apart. */
  count(operation: string): number {
    return this.asked.filter((each) => each.operation === operation && !isProbe(each.argument)).length
  }

  get probes(): number {
    return this.asked.filter(({ argument }) => isProbe(argument)).length
  }

  #does(operation: string, does: (...given: never[]) => unknown, isSynchronous: boolean): never {
    const run = (...given: never[]): unknown => {
      const [argument] = given as readonly unknown[]
      this.asked.push({ operation, argument })
      if (operation === 'close') return does(...given)
      if (this.countdown !== undefined && !isProbe(argument) && operation !== 'directory') {
        if (this.countdown.left === 0) {
          this.mood = this.countdown.then
          this.countdown = undefined
        } else this.countdown.left -= 1
      }
      const mood = this.moods.get((argument as { id?: string } | undefined)?.id ?? '') ?? this.moods.get(operation) ?? this.mood
      if (mood === 'refuses' || (mood === 'read-only' && WRITES.includes(operation))) throw new Error(`${operation}: connection refused`)
      if (mood === 'reset') throw new StoreResetError('the data set was lost. Repair it from the ledger, or accept the loss with store.acceptReset().')
      if (mood === 'hangs') return new Promise(() => {})
      const reply = does(...given)
      if (mood === 'loses replies') return new Promise(() => {})
      return reply
    }
    return (isSynchronous ? run : async (...given: never[]) => run(...given)) as never
  }
}

function isProbe(argument: unknown): boolean {
  const id = (argument as { readonly id?: unknown } | undefined)?.id
  return typeof id === 'string' && id.startsWith('probe-')
}

/** Fake timers that leave the rest of Node as it is. */
export function fakeTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
}

/** An engine on a fickle store, with everything that it says of the store. */
export function engine(config: object = {}, memory?: Store, clock = manualClock(START)) {
  const inner = memory ?? memoryStore({ clock })
  const fickle = new FickleStore(inner)
  const said: string[] = []
  const warnings: string[] = []
  const bursar = new Bursar({
    tiers: { free: { daily: 10, rolling: { '1h': { requests: 100 } } }, pro: { daily: 100 } },
    defaultTier: 'free',
    clock,
    store: fickle.store,
    logger: { debug: () => {}, warn: (message: string) => warnings.push(message) },
    ...config,
  } as BursarConfig)
  bursar.on('store-error', ({ operation, error }) => said.push(`error ${operation}: ${(error as Error).message}`))
  bursar.on('store-recovered', ({ operation }) => said.push(`recovered ${operation}`))
  /** Time that passes for the store, the clock on the wall and the timers. */
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await vi.advanceTimersByTimeAsync(ms)
  }
  const ask = (more: object = {}) => bursar.check({ userId: 'ada', estimatedCost: 1, ...more })
  return { bursar, fickle, clock, inner, said, warnings, pass, ask }
}

/** Lets everything that waits for no timer happen. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
