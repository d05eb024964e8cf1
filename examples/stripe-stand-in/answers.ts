// Which request is answered how: routes, lists and their pages. Pure: it reads the account as it is now, and knows no HTTP beyond paths.

import type { StripeAccount } from './account.js'
import { ApiError, missing } from './api-error.js'
import type { Kind, Shown } from './book.js'
import { expand } from './expansion.js'
import { isEnded } from './subscriptions.js'
import type { Subscription } from './shapes.js'

/** What is asked for. Paths as the API has them: `/v1/customers/cus_1`. */
export interface Question {
  readonly path: string
  readonly query: URLSearchParams
}

/** What a list of a deleted customer's subscriptions or sessions is answered: refused, or answered with those that there were. */
export type ListsOfDeleted = 'refused' | 'answered'

const EXPAND = /^expand\[\d*\]$/
const PAGE = ['limit', 'starting_after']
const DEFAULT_LIMIT = 10
const MOST_A_PAGE = 100

/** The kinds that are retrieved by their ids, with the name that errors give the id. */
const RETRIEVED: Record<string, readonly [kind: Kind, name: string, param: string]> = {
  '/v1/customers': ['customer', 'customer', 'id'],
  '/v1/subscriptions': ['subscription', 'subscription', 'id'],
  '/v1/products': ['product', 'product', 'id'],
  '/v1/prices': ['price', 'price', 'price'],
  '/v1/checkout/sessions': ['checkout.session', 'checkout.session', 'session'],
}

/** The answer to a request. Throws `ApiError`. */
export function answer(account: StripeAccount, { path, query }: Question, listsOfDeleted: ListsOfDeleted): Shown {
  const shown = list(account, path, query, listsOfDeleted) ?? retrieve(account, path, query)
  const paths = [...query].filter(([key]) => EXPAND.test(key)).map(([, value]) => value)
  expand(shown, paths, (id) => account.book.show(id))
  return shown
}

function retrieve(account: StripeAccount, path: string, query: URLSearchParams): Shown {
  const cut = path.lastIndexOf('/')
  const route = RETRIEVED[path.slice(0, cut)]
  if (route === undefined) throw new ApiError(404, `Unrecognized request URL (GET: ${path}).`)
  takeOnly(query, [])
  const [kind, name, param] = route
  const id = decodeURIComponent(path.slice(cut + 1))
  const found = account.book.find(kind, id)
  if (found === undefined) throw missing(404, name, id, param)
  return account.book.shown(found)
}

function list(account: StripeAccount, path: string, query: URLSearchParams, listsOfDeleted: ListsOfDeleted): Shown | undefined {
  const { book } = account
  const pageOf = (objects: readonly Shown[], name: string): Shown => page(objects, path, query, name)
  if (path === '/v1/customers') {
    takeOnly(query, [...PAGE, 'email'])
    const email = query.get('email')
    const found = book.all('customer').filter((customer) => !('deleted' in customer) && (email === null || customer.email === email))
    return pageOf(newestFirst(found).map((customer) => book.shown(customer)), 'customer')
  }
  if (path === '/v1/subscriptions') {
    takeOnly(query, [...PAGE, 'customer', 'status', 'price'])
    const found = book.all('subscription').filter(ofCustomer(account, query, listsOfDeleted)).filter(withStatus(query.get('status')))
    const price = query.get('price')
    const priced = price === null ? found : found.filter(({ items }) => items.data.some((item) => item.price.id === price))
    return pageOf(newestFirst(priced).map((subscription) => book.shown(subscription)), 'subscription')
  }
  if (path === '/v1/subscription_items') {
    takeOnly(query, [...PAGE, 'subscription'])
    const id = query.get('subscription')
    if (id === null) throw new ApiError(400, 'Missing required param: subscription.', 'parameter_missing', 'subscription')
    const found = book.find('subscription', id)
    if (found === undefined) throw missing(400, 'subscription', id, 'subscription')
    return pageOf(book.items(found), 'subscription_item')
  }
  if (path === '/v1/checkout/sessions') {
    takeOnly(query, [...PAGE, 'customer', 'subscription'])
    const subscription = query.get('subscription')
    const found = book.all('checkout.session').filter(ofCustomer(account, query, listsOfDeleted))
    const those = subscription === null ? found : found.filter((session) => session.subscription === subscription)
    return pageOf(newestFirst(those).map((session) => book.shown(session)), 'checkout.session')
  }
  return undefined
}

// A customer that never was is refused with 400 `resource_missing`, as every parameter that names nothing is. What Stripe answers for one that
// is deleted is documented nowhere: the reference only says that `status=canceled` lists subscriptions "including those belonging to deleted
// customers". So both are offered, and a client must bear either.
function ofCustomer({ book }: StripeAccount, query: URLSearchParams, listsOfDeleted: ListsOfDeleted): (object: { customer: string }) => boolean {
  const id = query.get('customer')
  if (id === null) return () => true
  const found = book.find('customer', id)
  if (found === undefined || ('deleted' in found && listsOfDeleted === 'refused')) throw missing(400, 'customer', id, 'customer')
  return ({ customer }) => customer === id
}

function withStatus(status: string | null): (subscription: Subscription) => boolean {
  if (status === null) return (subscription) => subscription.status !== 'canceled'
  if (status === 'all') return () => true
  if (status === 'ended') return isEnded
  return (subscription) => subscription.status === status
}

function page(objects: readonly Shown[], url: string, query: URLSearchParams, name: string): Shown {
  const after = query.get('starting_after')
  const cursor = objects.findIndex(({ id }) => id === after)
  if (after !== null && cursor < 0) throw missing(400, name, after, 'starting_after')
  const limit = readLimit(query.get('limit'))
  const rest = objects.slice(cursor + 1)
  return { object: 'list', data: rest.slice(0, limit), has_more: rest.length > limit, url }
}

function readLimit(given: string | null): number {
  if (given === null) return DEFAULT_LIMIT
  if (!/^-?\d+$/.test(given)) throw new ApiError(400, `Invalid integer: ${given}`, 'parameter_invalid_integer', 'limit')
  const limit = Number(given)
  const bound = limit < 1 ? 'greater than or equal to 1' : limit > MOST_A_PAGE ? `less than or equal to ${MOST_A_PAGE}` : undefined
  if (bound !== undefined) throw new ApiError(400, `This value must be ${bound} (it currently is '${given}').`, 'parameter_invalid_integer', 'limit')
  return limit
}

// Refuses what Stripe does not know and what this stand-in does not do alike: no parameter is passed over in silence.
function takeOnly(query: URLSearchParams, known: readonly string[]): void {
  const unknown = [...query.keys()].find((key) => !known.includes(key) && !EXPAND.test(key))
  if (unknown !== undefined) throw new ApiError(400, `Received unknown parameter: ${unknown}`, 'parameter_unknown', unknown)
}

function newestFirst<T>(objects: readonly T[]): T[] {
  return objects.toReversed()
}
