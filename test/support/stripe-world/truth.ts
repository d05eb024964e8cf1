// The oracle: which tier each user has truly had, moment by moment, read from the account itself. A moment is the time after a change.

import type { StripeAccount } from '../../../examples/stripe-stand-in/account.js'
import type { Subscription } from '../../../examples/stripe-stand-in/shapes.js'
import { MYSTERY_PRICE, MYSTERY_STATUS, nameOf, RANK_OF } from './shop.js'

const PAYS = ['active', 'trialing', 'past_due']

/** What one customer has given its user: a rank for each moment from its first, and 0 before. */
interface Past {
  readonly user: string
  readonly since: number
  readonly ranks: number[]
}

/** The truth about an account so far. Tiers are places among `TIERS`. */
export class Truth {
  readonly #account: StripeAccount
  readonly #pasts = new Map<string, Past>()
  #moment = 0

  constructor(account: StripeAccount) {
    this.#account = account
  }

  /** The number of the present moment. */
  get moment(): number {
    return this.#moment
  }

  /** Something has changed: another moment begins. */
  next(): void {
    this.#moment += 1
    for (const { id } of this.#account.book.all('customer')) {
      const user = this.#pasts.get(id)?.user ?? this.#userOf(id)
      if (user === undefined) continue
      let past = this.#pasts.get(id)
      if (past === undefined) this.#pasts.set(id, (past = { user, since: this.#moment, ranks: [] }))
      past.ranks.push(this.rankOf(id))
    }
  }

  /** A user's tier now. */
  now(user: string): number {
    return this.#at(user, this.#moment)
  }

  /**
   * The tiers that can be put together from what each of a user's customers has given at some moment up to `to`, and after `from` says
   * of it that it was looked at: what was asked about several customers was never asked of all at one moment.
   */
  composed(user: string, from: ReadonlyMap<string, number>, to: number): Set<number> {
    const sets = [...this.#pasts].filter(([, past]) => past.user === user).map(([id, past]) => {
      const first = from.get(id) ?? 0
      return Array.from({ length: to - first + 1 }, (_, index) => past.ranks[first + index - past.since] ?? 0)
    })
    const least = Math.max(0, ...sets.map((ranks) => Math.min(...ranks)))
    return new Set([least, ...sets.flat().filter((rank) => rank >= least)])
  }

  /** What a customer gives now: the highest of what is paid for. */
  rankOf(customer: string): number {
    const { book } = this.#account
    if ('deleted' in book.get('customer', customer)) return 0
    const paid = this.#bought(customer).filter(({ status }) => PAYS.includes(status))
    return Math.max(0, ...paid.flatMap(({ items }) => items.data.map(({ price }) => RANK_OF[price.id] ?? 0)))
  }

  /** True where something that a user has bought cannot be understood: a strange status, or nothing but strange prices. */
  isMysterious(user: string): boolean {
    const { book } = this.#account
    const customers = [...this.#pasts].filter(([id, past]) => past.user === user && !('deleted' in book.get('customer', id)))
    return customers.some(([id]) =>
      this.#bought(id).some(({ status, items }) => {
        const prices = items.data.map(({ price }) => price.id)
        return status === MYSTERY_STATUS || (PAYS.includes(status) && prices.includes(MYSTERY_PRICE) && prices.every((price) => price === MYSTERY_PRICE || RANK_OF[price] === 0))
      }),
    )
  }

  #at(user: string, moment: number): number {
    return Math.max(0, ...[...this.#pasts.values()].filter((past) => past.user === user).map(({ since, ranks }) => ranks[moment - since] ?? 0))
  }

  /** Whom anything in the account names as the customer's user: itself, else a subscription, else a checkout. */
  #userOf(id: string): string | undefined {
    const { book } = this.#account
    const customer = book.get('customer', id)
    const own = 'deleted' in customer ? undefined : named(customer.metadata)
    const bySubscription = this.#bought(id).map(({ metadata }) => named(metadata))
    const sessions = book.all('checkout.session').filter((session) => session.customer === id)
    const byCheckout = sessions.map(({ client_reference_id: userId, metadata }) => (userId === null ? undefined : named({ ...metadata, userId })))
    return [own, ...bySubscription, ...byCheckout].find((user) => user !== undefined)
  }

  #bought(customer: string): Subscription[] {
    return this.#account.book.all('subscription').filter((subscription) => subscription.customer === customer)
  }
}

function named({ userId, tenant }: Readonly<Record<string, string>>): string | undefined {
  return userId === undefined ? undefined : nameOf(tenant === undefined ? { userId } : { userId, tenant })
}
