// What can happen to an account, drawn and done: each change finds its subject among those that it may happen to, and leaves the
// account alone where there is none.

import fc from 'fast-check'
import type { StripeAccount } from '../../../examples/stripe-stand-in/account.js'
import type { Subscription } from '../../../examples/stripe-stand-in/shapes.js'
import { MYSTERY_PRICE, MYSTERY_STATUS, PEOPLE, PRICES } from './shop.js'

/** What happens to a subscription. */
const DEEDS = ['change', 'add', 'remove', 'cancel', 'end', 'go-on', 'pause', 'resume', 'renew', 'fail', 'pay', 'write-off', 'void', 'give-up', 'give-up-unpaid', 'schedule', 'next-phase', 'name', 'reset-anchor'] as const

/** How an application says whose customer a checkout makes. */
const SAID = ['reference', 'subscription', 'both', 'nowhere'] as const

/** One change. `which` and `price` are places in lists, `person` one of {@link PEOPLE}. */
export type Change =
  | { readonly do: 'customer'; readonly person: number; readonly named: boolean }
  | { readonly do: 'checkout'; readonly person: number; readonly prices: readonly string[]; readonly said: (typeof SAID)[number]; readonly trial: boolean; readonly which: number | undefined }
  | { readonly do: 'subscribe'; readonly prices: readonly string[]; readonly status: string; readonly named: boolean; readonly which: number }
  | { readonly do: 'tell' | 'touch' | 'delete'; readonly which: number }
  | { readonly do: 'status'; readonly status: string; readonly which: number }
  | { readonly do: (typeof DEEDS)[number]; readonly price: string; readonly which: number }

const STATUSES = ['active', 'trialing', 'past_due', 'incomplete', 'incomplete_expired', 'unpaid', 'paused', 'canceled']

/** What a subscription only is before its first payment. */
const FIRST = ['incomplete', 'incomplete_expired', 'trialing']

/** Changes that leave no doubt about anybody's tier. */
export const plainChanges = changesOf(PRICES, STATUSES)

/** The same, with prices that nothing maps and statuses that nobody knows. */
export const mysteriousChanges = changesOf([...PRICES, MYSTERY_PRICE, MYSTERY_PRICE], [...STATUSES, ...Array.from({ length: 6 }, () => MYSTERY_STATUS)])

function changesOf(prices: readonly string[], statuses: readonly string[]): fc.Arbitrary<Change> {
  // One of them more than others: who has several customers is who can be mistaken.
  const person = fc.constantFrom(0, 0, 0, 0, 0, ...PEOPLE.keys())
  const which = fc.nat({ max: 15 })
  const mostly = fc.constantFrom(true, true, false)
  const price = fc.constantFrom(...prices)
  const some = fc.oneof({ weight: 4, arbitrary: price.map((one) => [one]) }, { weight: 1, arbitrary: fc.uniqueArray(price, { minLength: 2, maxLength: 3 }) })
  const status = fc.constantFrom(...statuses)
  return fc.oneof(
    { weight: 2, arbitrary: fc.record({ do: fc.constant('customer' as const), person, named: mostly }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('checkout' as const), person, prices: some, said: fc.constantFrom(...SAID, 'reference' as const, 'reference' as const), trial: fc.boolean(), which: fc.option(which, { nil: undefined }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('subscribe' as const), prices: some, status, named: mostly, which }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('tell' as const, 'touch' as const, 'delete' as const), which }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('status' as const), status: status.filter((name) => !FIRST.includes(name)), which }) },
    { weight: 12, arbitrary: fc.record({ do: fc.constantFrom(...DEEDS), price, which }) },
  )
}

/** The account's owner and customers: who does what, and which customer was made for whom. */
export class Shopfront {
  readonly #account: StripeAccount
  readonly #mostCustomers: number
  /** Whom each customer was made for, whether anybody says so or not. */
  readonly #madeFor = new Map<string, number>()
  /** Those whose own metadata has named their user from the beginning: whatever else claims them is wrong. */
  readonly #named = new Set<string>()

  /** `mostCustomers`: how many there ever are. The fewer, the more happens to each. */
  constructor(account: StripeAccount, mostCustomers: number) {
    this.#account = account
    this.#mostCustomers = mostCustomers
  }

  /** Does a change where it can be done. */
  apply(change: Change): void {
    const { customers, subscriptions } = this.#account
    switch (change.do) {
      case 'customer':
        return void (this.#isFull() || this.#customer(change.person, change.named))
      case 'checkout':
        return this.#checkout(change)
      case 'subscribe': {
        const customer = pick(this.#live(), change.which)
        if (customer === undefined) return
        const { prices: priceIds, status, named } = change
        return void subscriptions.create({ customer, priceIds, ...(status === 'trialing' ? { trialDays: 14 } : { status }), metadata: named ? this.#clue(customer) : {} })
      }
      case 'tell':
      case 'touch':
      case 'delete': {
        const customer = pick(this.#live(), change.which)
        if (customer === undefined) return
        if (change.do === 'delete') return customers.delete(customer)
        return customers.updateMetadata(customer, change.do === 'tell' ? this.#clue(customer) : { seen: `${change.which}` })
      }
      case 'status': {
        const subscription = pick(this.#open(), change.which)
        return subscription && subscriptions.setStatus(subscription.id, change.status)
      }
      default: {
        const subscription = pick(this.#open(), change.which)
        return subscription && this.#deed(change.do, subscription, change.price)
      }
    }
  }

  #customer(person: number, named: boolean): string {
    const id = this.#account.customers.create(named ? { metadata: clueTo(person) } : {})
    this.#madeFor.set(id, person)
    if (named) this.#named.add(id)
    return id
  }

  #checkout({ person, prices: priceIds, said, trial, which }: Extract<Change, { do: 'checkout' }>): void {
    const customer = which === undefined && !this.#isFull() ? this.#customer(person, false) : pick(this.#live(), which ?? 0)
    if (customer === undefined) return
    // A checkout may claim for somebody else a customer that says itself whose it is; nobody else's claim is ever wrong.
    const { userId, tenant } = clueTo(this.#named.has(customer) ? person : (this.#madeFor.get(customer) as number)) as { userId: string; tenant?: string }
    const refers = said === 'reference' || said === 'both'
    this.#account.completeCheckout({
      customer,
      priceIds,
      ...(refers && { clientReferenceId: userId, metadata: tenant === undefined ? {} : { tenant } }),
      ...((said === 'subscription' || said === 'both') && { subscriptionMetadata: this.#clue(customer) }),
      ...(trial && { trialDays: 14 }),
    })
  }

  #deed(deed: (typeof DEEDS)[number], { id, status, customer, items, latest_invoice: latest, schedule }: Subscription, price: string): void {
    const { book, subscriptions, payments, schedules } = this.#account
    const has = items.data.map((item) => item.price.id)
    const invoice = latest === null ? undefined : book.get('invoice', latest).status
    const isOpen = invoice === 'open' || invoice === 'uncollectible'
    switch (deed) {
      case 'change':
        return has.includes(price) ? undefined : subscriptions.changeItems(id, { replace: { [has[0] as string]: price } })
      case 'add':
        return has.includes(price) ? undefined : subscriptions.changeItems(id, { add: [price] })
      case 'remove':
        return has.length < 2 ? undefined : subscriptions.changeItems(id, { remove: [has[0] as string] })
      case 'cancel':
        return subscriptions.cancel(id)
      case 'end':
      case 'go-on':
        return subscriptions.cancelAtPeriodEnd(id, deed === 'end')
      case 'pause':
        return subscriptions.pause(id)
      case 'resume':
        return status === 'paused' ? subscriptions.resume(id) : undefined
      case 'renew':
        return status === 'paused' ? undefined : subscriptions.renew(id)
      case 'fail':
        return payments.failPayment(id)
      case 'pay':
        return isOpen ? payments.payInvoice(id) : undefined
      case 'write-off':
        return invoice === 'open' ? payments.markUncollectible(id) : undefined
      case 'void':
        return isOpen ? payments.voidInvoice(id) : undefined
      case 'give-up':
      case 'give-up-unpaid':
        return status === 'past_due' ? payments.giveUp(id, deed === 'give-up' ? 'canceled' : 'unpaid') : undefined
      case 'schedule':
        return void schedules.schedule(id, [{ priceIds: [price] }])
      case 'next-phase': {
        const { phases, current_phase: current } = schedule === null ? { phases: [], current_phase: null } : book.get('subscription_schedule', schedule)
        return phases.some(({ start_date: startS }) => startS === current?.end_date) ? schedules.startNextPhase(id) : undefined
      }
      case 'name':
        return subscriptions.updateMetadata(id, this.#clue(customer))
      case 'reset-anchor':
        return subscriptions.resetAnchor(id)
    }
  }

  #isFull(): boolean {
    return this.#madeFor.size >= this.#mostCustomers
  }

  #clue(customer: string): Record<string, string> {
    return clueTo(this.#madeFor.get(customer) as number)
  }

  #live(): string[] {
    return this.#account.book.all('customer').filter((customer) => !('deleted' in customer)).map(({ id }) => id)
  }

  #open(): Subscription[] {
    return this.#account.book.all('subscription').filter(({ status }) => status !== 'canceled' && status !== 'incomplete_expired')
  }
}

function clueTo(person: number): Record<string, string> {
  return { ...PEOPLE[person] } as Record<string, string>
}

function pick<T>(list: readonly T[], which: number): T | undefined {
  return list[which % Math.max(1, list.length)]
}
