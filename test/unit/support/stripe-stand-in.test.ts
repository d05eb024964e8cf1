// The stand-in for Stripe over HTTP: an API that the official SDK takes for Stripe's, with what tests need to make it fail.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StripeAccount } from '../../../examples/stripe-stand-in/account.js'
import type { AccountEvent, AccountOptions } from '../../../examples/stripe-stand-in/book.js'
import { StripeStandIn } from '../../../examples/stripe-stand-in/server.js'
import { post, sign } from '../../../examples/stripe-stand-in/webhooks.js'

function accountWithPrices(options: Partial<AccountOptions> = {}): StripeAccount {
  const account = new StripeAccount({ clock: () => Date.UTC(2027, 0, 31, 12), ...options })
  account.addProduct({ id: 'prod_pro', metadata: { tier: 'pro' } })
  account.addPrice({ id: 'price_pro', product: 'prod_pro', lookupKey: 'pro', interval: 'month', unitAmount: 2_000 })
  account.addPrice({ id: 'price_team', product: 'prod_pro', interval: 'month', unitAmount: 5_000 })
  account.addPrice({ id: 'price_fortnight', product: 'prod_pro', interval: 'week', intervalCount: 2, unitAmount: 900 })
  return account
}

describe('the API', () => {
  let account: StripeAccount
  let standIn: StripeStandIn
  let stripe: Stripe
  beforeEach(async () => {
    account = accountWithPrices()
    standIn = new StripeStandIn(account)
    await standIn.start()
    stripe = client()
  })
  afterEach(() => standIn.stop())

  function client(options: { maxNetworkRetries?: number } = {}, key = 'sk_test_x'): Stripe {
    const made = new Stripe(key, { ...standIn.address, maxNetworkRetries: 0, telemetry: false, ...options })
    return Object.assign(made, { getInitialNetworkRetryDelay: () => 0.001, getMaxNetworkRetryDelay: () => 0.002 })
  }
  const subscribed = (customer: string, count = 1): string[] =>
    Array.from({ length: count }, () => account.subscriptions.create({ customer, priceIds: ['price_pro'] }))

  it('lists page by page, newest first, each object once', async () => {
    const customer = account.customers.create()
    const ids = subscribed(customer, 25)
    subscribed(account.customers.create(), 3)
    const listed: string[] = []
    for await (const { id } of stripe.subscriptions.list({ customer, status: 'all', limit: 10 })) listed.push(id)
    expect(listed).toEqual(ids.toReversed())
    expect(standIn.requests).toHaveLength(3)
    expect(standIn.requests[1]).toEqual({
      method: 'GET',
      path: '/v1/subscriptions',
      query: { customer, status: 'all', limit: '10', starting_after: ids[15] },
    })
  })

  it('gives ten objects where no limit is set, and says that there are more', async () => {
    const customer = account.customers.create()
    subscribed(customer, 11)
    const { data, has_more: hasMore } = await stripe.subscriptions.list({ customer })
    expect([data.length, hasMore]).toEqual([10, true])
    const all = await stripe.subscriptions.list({ customer, limit: 11 })
    expect([all.data.length, all.has_more]).toEqual([11, false])
  })

  it('leaves canceled subscriptions out unless asked for them', async () => {
    const customer = account.customers.create()
    const [canceled, active] = subscribed(customer, 2) as [string, string]
    const expired = account.subscriptions.create({ customer, priceIds: ['price_team'], status: 'incomplete_expired' })
    account.subscriptions.cancel(canceled)
    const ids = async (status?: 'all' | 'canceled' | 'ended'): Promise<string[]> =>
      (await stripe.subscriptions.list({ customer, ...(status !== undefined && { status }) })).data.map(({ id }) => id)
    expect(await ids()).toEqual([expired, active])
    expect(await ids('all')).toEqual([expired, active, canceled])
    expect(await ids('canceled')).toEqual([canceled])
    expect(await ids('ended')).toEqual([expired, canceled])
    expect((await stripe.subscriptions.list({ price: 'price_team' })).data.map(({ id }) => id)).toEqual([expired])
  })

  it('retrieves a deleted customer as such, and takes expansions that it has nothing for', async () => {
    const customer = account.customers.create({ email: 'a@example.com' })
    const found = await stripe.customers.retrieve(customer, { expand: ['subscriptions', 'tax'] })
    expect(found).toMatchObject({ id: customer, email: 'a@example.com' })
    account.customers.delete(customer)
    expect({ ...(await stripe.customers.retrieve(customer)) }).toEqual({ id: customer, object: 'customer', deleted: true })
  })

  it('lists customers that are not deleted', async () => {
    const ids = ['a@example.com', 'b@example.com', 'c@example.com'].map((email) => account.customers.create({ email }))
    account.customers.delete(ids[1] as string)
    expect((await stripe.customers.list()).data.map(({ id }) => id)).toEqual([ids[2], ids[0]])
    expect((await stripe.customers.list({ email: 'a@example.com' })).data.map(({ id }) => id)).toEqual([ids[0]])
  })

  it.each([
    ['a subscription', () => stripe.subscriptions.retrieve('sub_none'), 404, "No such subscription: 'sub_none'", 'id'],
    ['a customer', () => stripe.customers.retrieve('cus_none'), 404, "No such customer: 'cus_none'", 'id'],
    ['a price', () => stripe.prices.retrieve('price_none'), 404, "No such price: 'price_none'", 'price'],
    ['a session', () => stripe.checkout.sessions.retrieve('cs_none'), 404, "No such checkout.session: 'cs_none'", 'session'],
    ['a customer whose subscriptions are listed', () => stripe.subscriptions.list({ customer: 'cus_none' }), 400, "No such customer: 'cus_none'", 'customer'],
    ['a cursor', () => stripe.subscriptions.list({ starting_after: 'sub_none' }), 400, "No such subscription: 'sub_none'", 'starting_after'],
    ['a subscription whose items are listed', () => stripe.subscriptionItems.list({ subscription: 'sub_none' }), 400, "No such subscription: 'sub_none'", 'subscription'],
  ])('refuses what it does not have: %s', async (_what, act, statusCode, message, param) => {
    const error: unknown = await (act() as Promise<unknown>).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError)
    expect(error).toMatchObject({ statusCode, code: 'resource_missing', message, param, rawType: 'invalid_request_error' })
  })

  it.each([
    ['limit above 100', { limit: 101 }, 'less than or equal to 100'],
    ['limit 0', { limit: 0 }, 'greater than or equal to 1'],
    ['a limit that is no number', { limit: 'ten' as unknown as number }, 'Invalid integer: ten'],
    ['a parameter that it does not do', { collection_method: 'send_invoice' as const }, 'unknown parameter: collection_method'],
    ['a parameter that there is not', { users: 1 } as object, 'unknown parameter: users'],
  ])('refuses %s', async (_what, params, message) => {
    await expect(stripe.subscriptions.list(params)).rejects.toThrow(message)
  })

  it('refuses or answers lists for a deleted customer, as it was set up', async () => {
    const { customer, subscription, session } = account.completeCheckout({ priceIds: ['price_pro'] })
    account.customers.delete(customer)
    await expect(stripe.subscriptions.list({ customer, status: 'all' })).rejects.toMatchObject({ code: 'resource_missing', statusCode: 400 })
    await expect(stripe.checkout.sessions.list({ customer })).rejects.toMatchObject({ code: 'resource_missing', statusCode: 400 })
    expect((await stripe.subscriptions.list({ status: 'canceled' })).data.map(({ id }) => id)).toEqual([subscription])
    const lenient = new StripeStandIn(account, { listsOfDeleted: 'answered' })
    await lenient.start()
    try {
      const other = new Stripe('sk_test_x', { ...lenient.address, maxNetworkRetries: 0 })
      expect((await other.subscriptions.list({ customer, status: 'all' })).data.map(({ id }) => id)).toEqual([subscription])
      expect((await other.checkout.sessions.list({ customer })).data.map(({ id }) => id)).toEqual([session])
    } finally {
      await lenient.stop()
    }
  })

  it('expands ids into objects, up to four levels', async () => {
    const { customer, subscription, invoice } = account.completeCheckout({ priceIds: ['price_pro'] })
    const plain = await stripe.subscriptions.list({ customer })
    expect([plain.data[0]?.latest_invoice, plain.data[0]?.items.data[0]?.price.product]).toEqual([invoice, 'prod_pro'])
    const rich = await stripe.subscriptions.list({ customer, expand: ['data.latest_invoice', 'data.customer'] })
    expect(rich.data[0]).toMatchObject({ latest_invoice: { id: invoice, status: 'paid' }, customer: { id: customer } })
    const four = await stripe.subscriptions.retrieve(subscription, { expand: ['items.data.price.product'] })
    expect(four.items.data[0]?.price.product).toMatchObject({ id: 'prod_pro', metadata: { tier: 'pro' } })
    await expect(stripe.subscriptions.list({ customer, expand: ['data.items.data.price.product'] })).rejects.toThrow('You cannot expand more than 4 levels')
    await expect(stripe.subscriptions.list({ customer, expand: ['data.status'] })).rejects.toThrow('cannot be expanded (data.status)')
    await expect(stripe.subscriptions.retrieve(subscription, { expand: ['nonsense'] })).rejects.toThrow('cannot be expanded (nonsense)')
  })

  it('embeds the first items and lists all of them', async () => {
    account = accountWithPrices({ embeddedItems: 2 })
    await standIn.stop()
    standIn = new StripeStandIn(account)
    await standIn.start()
    stripe = client()
    const prices = ['price_pro', 'price_team', 'price_fortnight']
    const id = account.subscriptions.create({ customer: account.customers.create(), priceIds: prices })
    const { items } = await stripe.subscriptions.retrieve(id)
    expect([items.data.map(({ price }) => price.id), items.has_more]).toEqual([prices.slice(0, 2), true])
    const listed: string[] = []
    for await (const { price } of stripe.subscriptionItems.list({ subscription: id, limit: 2 })) listed.push(price.id)
    expect(listed).toEqual(prices)
    expect(account.events.at(-1)).toMatchObject({ type: 'invoice.paid', data: { object: { total: 7_900 } } })
  })

  it('serves products, prices and sessions', async () => {
    const { session, subscription, customer } = account.completeCheckout({ priceIds: ['price_pro'], clientReferenceId: 'user-1' })
    expect((await stripe.products.retrieve('prod_pro')).metadata).toEqual({ tier: 'pro' })
    const price = await stripe.prices.retrieve('price_pro')
    expect([price.lookup_key, price.recurring?.interval, String(price.unit_amount_decimal)]).toEqual(['pro', 'month', '2000'])
    expect(await stripe.checkout.sessions.retrieve(session)).toMatchObject({ subscription, client_reference_id: 'user-1' })
    account.completeCheckout({ priceIds: ['price_pro'], customer })
    expect((await stripe.checkout.sessions.list({ subscription })).data.map(({ id }) => id)).toEqual([session])
    expect((await stripe.checkout.sessions.list({ customer })).data).toHaveLength(2)
  })

  it('fails as often as it was told to: the SDK sees it, or tries again and does not', async () => {
    const customer = account.customers.create()
    standIn.failNext(1)
    await expect(stripe.customers.retrieve(customer)).rejects.toMatchObject({ type: 'StripeAPIError', statusCode: 503 })
    standIn.failNext(2)
    expect(await client({ maxNetworkRetries: 2 }).customers.retrieve(customer)).toMatchObject({ id: customer })
    expect(standIn.requests).toHaveLength(4)
    standIn.failNext(1, 429)
    await expect(stripe.customers.retrieve(customer)).rejects.toBeInstanceOf(Stripe.errors.StripeRateLimitError)
    expect(await stripe.customers.retrieve(customer)).toMatchObject({ id: customer })
  })

  it('cuts connections, and is gone while it is stopped', async () => {
    const customer = account.customers.create()
    standIn.hangUpNext(2)
    await expect(stripe.customers.retrieve(customer)).rejects.toBeInstanceOf(Stripe.errors.StripeConnectionError)
    expect(standIn.requests).toHaveLength(2)
    await standIn.stop()
    await expect(stripe.customers.retrieve(customer)).rejects.toBeInstanceOf(Stripe.errors.StripeConnectionError)
    await standIn.start()
    expect(await stripe.customers.retrieve(customer)).toMatchObject({ id: customer })
  })

  it('sends what was true when it was asked, however long the answer takes', async () => {
    const [id] = subscribed(account.customers.create()) as [string]
    let asked: () => void = () => {}
    let letGo: () => void = () => {}
    const isAsked = new Promise<void>((resolve) => void (asked = resolve))
    const gate = new Promise<void>((resolve) => void (letGo = resolve))
    standIn.beforeReply = () => {
      asked()
      return gate
    }
    const old = stripe.subscriptions.retrieve(id)
    await isAsked
    account.subscriptions.cancel(id)
    standIn.beforeReply = undefined
    expect(await stripe.subscriptions.retrieve(id)).toMatchObject({ status: 'canceled' })
    letGo()
    expect(await old).toMatchObject({ status: 'active' })
  })

  it('lets nobody in without a key, and with a key of its own only those who have it', async () => {
    const { port } = standIn.address
    expect((await fetch(`http://127.0.0.1:${port}/v1/customers`)).status).toBe(401)
    expect((await fetch(`http://127.0.0.1:${port}/v1/nothing`, { headers: { authorization: 'Bearer sk_test_x' } })).status).toBe(404)
    await expect(stripe.customers.create()).rejects.toThrow('Unrecognized request URL (POST: /v1/customers)')
    await standIn.stop()
    standIn = new StripeStandIn(account, { apiKey: 'sk_test_right' })
    await standIn.start()
    await expect(client({}, 'sk_test_wrong').customers.list()).rejects.toBeInstanceOf(Stripe.errors.StripeAuthenticationError)
    expect((await client({}, 'sk_test_right').customers.list()).data).toEqual([])
  })
})

describe('webhooks', () => {
  const secret = 'whsec_test'
  const stripe = new Stripe('sk_test_x')

  it('are signed so that the SDK believes them, and as soon as a byte is changed no more', () => {
    const account = accountWithPrices()
    account.customers.create({ email: 'a@example.com' })
    const event = account.events[0] as AccountEvent
    const { body, header } = sign(event, secret, { stripe })
    expect({ ...stripe.webhooks.constructEvent(body, header, secret) }).toEqual(event)
    const altered = body.replace('a@example.com', 'b@example.com')
    expect(altered).not.toBe(body)
    const refusal = Stripe.errors.StripeSignatureVerificationError
    expect(() => stripe.webhooks.constructEvent(altered, header, secret)).toThrow(refusal)
    expect(() => stripe.webhooks.constructEvent(JSON.stringify(event), header, secret)).toThrow(refusal)
    expect(() => stripe.webhooks.constructEvent(body, header, 'whsec_other')).toThrow(refusal)
    const old = sign(event, secret, { stripe, timestamp: 1_700_000_000 })
    expect(() => stripe.webhooks.constructEvent(old.body, old.header, secret)).toThrow('Timestamp outside the tolerance zone')
  })

  it('are posted with their signature', async () => {
    const account = accountWithPrices()
    account.customers.create()
    const server = createServer((request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => {
        const event = stripe.webhooks.constructEvent(Buffer.concat(pieces), request.headers['stripe-signature'] as string, secret)
        response.writeHead(202).end(event.type)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = server.address() as AddressInfo
      const answer = await post(`http://127.0.0.1:${port}/hook`, account.events[0] as AccountEvent, secret, { stripe })
      expect([answer.status, await answer.text()]).toEqual([202, 'customer.created'])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
