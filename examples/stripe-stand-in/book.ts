// The objects of one account and the events about them: ids, time, snapshots. It knows how objects are shown, and no rule by which they change.

import type { Birth, Customer, DeletedCustomer, Invoice, Item, Price, Product, Schedule, Session, StripeObject, Subscription } from './shapes.js'

/** How an account behaves. */
export interface AccountOptions {
  /** The time in ms since the epoch. */
  readonly clock: () => number
  /** Default false: test mode. */
  readonly livemode?: boolean
  /** 'before-2025-03-31' shows a subscription's period on the subscription instead of its items. */
  readonly apiShape?: 'since-2025-03-31' | 'before-2025-03-31'
  /** How many items a subscription shows; the rest must be listed. Default 10. */
  readonly embeddedItems?: number
  /** The connected account that events name as their `account`. */
  readonly connectedAccount?: string
  /** What ids carry, to tell those of two accounts apart. Default 'StandIn'. */
  readonly idStem?: string
}

/** An event. `data.object` is how the object was when the event was written, and never changes. */
export interface AccountEvent {
  readonly id: string
  readonly object: 'event'
  readonly account?: string
  readonly api_version: string
  readonly created: number
  readonly livemode: boolean
  readonly pending_webhooks: number
  readonly request: { id: string | null; idempotency_key: string | null }
  readonly type: string
  readonly data: { readonly object: Shown; readonly previous_attributes?: Shown }
}

/** An object as the wire carries it. */
export type Shown = Record<string, unknown>

interface Kinds {
  customer: Customer | DeletedCustomer
  product: Product
  price: Price
  subscription: Subscription
  invoice: Invoice
  'checkout.session': Session
  subscription_schedule: Schedule
}

/** The name of a kind of object. */
export type Kind = keyof Kinds

/** Keeps the objects and events of one account. */
export class Book {
  readonly events: AccountEvent[] = []
  readonly #objects = new Map<string, StripeObject>()
  readonly #options: AccountOptions
  #ids = 0

  constructor(options: AccountOptions) {
    this.#options = options
  }

  get livemode(): boolean {
    return this.#options.livemode ?? false
  }

  /** The time in Unix seconds. */
  nowS(): number {
    return Math.floor(this.#options.clock() / 1_000)
  }

  /** What a new object is told: an id of its own (`prefix` is 'cus', 'sub', …), or `id` where the caller chose one. */
  birth(prefix: string, id?: string): Birth {
    const number = String((this.#ids += 1)).padStart(8, '0')
    return { id: id ?? `${prefix}_${this.#options.idStem ?? 'StandIn'}${number}`, created: this.nowS(), livemode: this.livemode }
  }

  /** Adds an object, or puts it in the place of the one with its id. */
  put<T extends StripeObject>(object: T): T {
    this.#objects.set(object.id, object)
    return object
  }

  /** The object itself. Throws when there is none of that kind. */
  get<K extends Kind>(kind: K, id: string): Kinds[K] {
    const found = this.find(kind, id)
    if (found === undefined) throw new Error(`the account has no ${kind} '${id}'`)
    return found
  }

  /** As `get`; undefined when there is none. */
  find<K extends Kind>(kind: K, id: string): Kinds[K] | undefined {
    const found = this.#objects.get(id)
    return found?.object === kind ? (found as Kinds[K]) : undefined
  }

  /** All objects of a kind, oldest first. */
  all<K extends Kind>(kind: K): Kinds[K][] {
    return [...this.#objects.values()].filter(({ object }) => object === kind) as Kinds[K][]
  }

  /** A copy of the object with this id, of whatever kind, as the wire carries it. */
  show(id: string): Shown | undefined {
    const found = this.#objects.get(id)
    return found === undefined ? undefined : this.shown(found)
  }

  /** A copy of an object as the wire carries it. */
  shown(object: StripeObject): Shown {
    const copy = structuredClone(object)
    return (copy.object === 'subscription' ? this.#subscription(copy) : copy) as unknown as Shown
  }

  /** Copies of all items of a subscription, also of those that it does not embed. */
  items({ items }: Subscription): Shown[] {
    const copies = structuredClone(items.data)
    return this.#options.apiShape === 'before-2025-03-31' ? copies.map(withoutPeriod) : (copies as unknown as Shown[])
  }

  /** Changes an object and returns what its event calls `previous_attributes`. */
  change(object: StripeObject, change: () => void): Shown {
    const before = this.shown(object)
    change()
    return differing(before, this.shown(object))
  }

  /** Writes an event about an object as it is now. */
  append(type: string, object: StripeObject, previous?: Shown): void {
    const { connectedAccount, apiShape } = this.#options
    const { id, created, livemode } = this.birth('evt')
    this.events.push({
      id, object: 'event', created, livemode, pending_webhooks: 1, request: { id: null, idempotency_key: null }, type,
      api_version: apiShape === 'before-2025-03-31' ? '2025-02-24.acacia' : '2025-03-31.basil',
      data: { object: this.shown(object), ...(previous !== undefined && { previous_attributes: previous }) },
      ...(connectedAccount !== undefined && { account: connectedAccount }),
    })
  }

  /** Changes an object and writes the event about it. */
  update(type: string, object: StripeObject, change: () => void): void {
    const previous = this.change(object, change)
    this.append(type, object, previous)
  }

  #subscription(copy: Subscription): object {
    const { embeddedItems = 10, apiShape } = this.#options
    const { data } = copy.items
    copy.items = { ...copy.items, data: data.slice(0, embeddedItems), has_more: data.length > embeddedItems }
    return apiShape === 'before-2025-03-31' ? periodOnTop(copy) : copy
  }
}

function periodOnTop(copy: Subscription): object {
  const [first] = copy.items.data
  const period = { current_period_end: first?.current_period_end, current_period_start: first?.current_period_start }
  return { ...copy, ...period, items: { ...copy.items, data: copy.items.data.map(withoutPeriod) } }
}

function withoutPeriod({ current_period_end: _end, current_period_start: _start, ...item }: Item): Shown {
  return item
}

// Arrays are told whole, objects by the fields that changed; a field that was not there before was null.
function differing(before: Shown, after: Shown): Shown {
  const previous: Shown = {}
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is] = [before[key], after[key]]
    if (JSON.stringify(was) === JSON.stringify(is)) continue
    previous[key] = isObject(was) && isObject(is) ? differing(was, is) : (was ?? null)
  }
  return previous
}

function isObject(value: unknown): value is Shown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
