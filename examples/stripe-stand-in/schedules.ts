// Schedules: prices that a subscription will have later. Until a phase begins, only the schedule knows of it.

import type { Book } from './book.js'
import { endOfPeriodS } from './periods.js'
import { newSchedule, type Item, type Phase, type Schedule } from './shapes.js'
import type { Subscriptions } from './subscriptions.js'

/** A phase to come: from `startsAtS` (Unix seconds) on, or from the end of the phase before it. */
export interface FuturePhase {
  readonly priceIds: readonly string[]
  readonly startsAtS?: number
}

const YEAR_S = 365 * 86_400

/** The schedules of one account. */
export class Schedules {
  readonly #book: Book
  readonly #subscriptions: Subscriptions

  constructor(book: Book, subscriptions: Subscriptions) {
    this.#book = book
    this.#subscriptions = subscriptions
  }

  /** Schedules phases after the current one, in place of those scheduled before. The first begins with the next period. Returns the schedule's id. */
  schedule(subscriptionId: string, future: readonly FuturePhase[]): string {
    const book = this.#book
    const subscription = book.get('subscription', subscriptionId)
    const { data } = subscription.items
    const startS = (data[0] as Item).current_period_start
    const phases: Phase[] = [phase(startS, endOfPeriodS(subscription), data.map(({ price }) => price.id))]
    for (const { priceIds, startsAtS } of future) {
      for (const id of priceIds) book.get('price', id)
      const before = phases.at(-1) as Phase
      before.end_date = startsAtS ?? before.end_date
      phases.push(phase(before.end_date, before.end_date + YEAR_S, priceIds))
    }
    if (subscription.schedule !== null) {
      const known = book.get('subscription_schedule', subscription.schedule)
      book.update('subscription_schedule.updated', known, () => void (known.phases = phases))
      return known.id
    }
    const schedule = book.put(newSchedule(book.birth('sub_sched'), subscription, phases))
    schedule.current_phase = span(phases[0] as Phase)
    book.append('subscription_schedule.created', schedule)
    book.update('customer.subscription.updated', subscription, () => void (subscription.schedule = schedule.id))
    return schedule.id
  }

  /** The next phase begins: the subscription has its prices now. Throws when there is none. */
  startNextPhase(subscriptionId: string): void {
    const book = this.#book
    const subscription = book.get('subscription', subscriptionId)
    if (subscription.schedule === null) throw new Error(`${subscriptionId} has no schedule`)
    const schedule: Schedule = book.get('subscription_schedule', subscription.schedule)
    const next = schedule.phases.find(({ start_date: startS }) => startS === schedule.current_phase?.end_date)
    if (next === undefined) throw new Error(`${schedule.id} has no phase after the current one`)
    const [has, wants] = [subscription.items.data.map(({ price }) => price.id), next.items.map(({ price }) => price)]
    const gone = has.filter((price) => !wants.includes(price))
    const come = wants.filter((price) => !has.includes(price))
    const both = Math.min(gone.length, come.length)
    const replace = Object.fromEntries(gone.slice(0, both).map((price, index) => [price, come[index] as string]))
    this.#subscriptions.changeItems(subscriptionId, { replace, add: come.slice(both), remove: gone.slice(both) })
    book.update('subscription_schedule.updated', schedule, () => void (schedule.current_phase = span(next)))
  }
}

function phase(startS: number, endS: number, priceIds: readonly string[]): Phase {
  return { start_date: startS, end_date: endS, items: priceIds.map((price) => ({ price, quantity: 1 })), metadata: {} }
}

function span({ start_date, end_date }: Phase): { start_date: number; end_date: number } {
  return { start_date, end_date }
}
