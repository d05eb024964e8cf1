import Stripe from 'stripe'
import { describe, expect, it, onTestFinished } from 'vitest'
import { StripeAccount } from '../../../examples/stripe-stand-in/account.js'
import { StripeStandIn } from '../../../examples/stripe-stand-in/server.js'
import { NOW, Stage } from './stage.js'

const MAPPER = { tiers: { free: { budget: { daily: '0.10' } }, pro: { prices: ['price_pro'], budget: { daily: 1 }, monthlyPrice: 29 } }, fallbackTier: 'free' }

/** An account in which ada has bought "pro"; the configuration's client talks to it. */
async function shop(): Promise<{ readonly stage: Stage; readonly customer: string; readonly cancel: () => void; readonly close: () => Promise<void> }> {
  const stage = new Stage()
  const account = new StripeAccount({ clock: () => stage.now })
  account.addPrice({ id: 'price_pro', product: account.addProduct(), interval: 'month', unitAmount: 2_900 })
  const standIn = new StripeStandIn(account)
  await standIn.start()
  const close = async (): Promise<void> => void (await standIn.stop())
  onTestFinished(close)
  const { subscription, customer } = account.completeCheckout({ priceIds: ['price_pro'], clientReferenceId: 'ada' })
  ;(globalThis as { stripeOfTest?: unknown }).stripeOfTest = new Stripe('sk_test_of_the_stage', { ...standIn.address, telemetry: false, maxNetworkRetries: 0 })
  stage.write('bursar.config.mjs', `export default () => ({ defaultTier: 'free', store: 'sqlite:./bursar.db', stripe: { stripe: globalThis.stripeOfTest, mapper: ${JSON.stringify(MAPPER)} } })`)
  return { stage, customer: customer as string, cancel: () => void account.subscriptions.cancel(subscription), close }
}

describe('bursar stripe sync', () => {
  it('writes what a customer has bought, and then knows the user by it', async () => {
    const { stage, customer, cancel } = await shop()
    expect(await stage.ok('stripe', 'sync', '--customer', customer)).toMatch(new RegExp(`^${customer} +ada +– +written +pro$`, 'm'))
    expect(await stage.json('budget', 'ada')).toMatchObject({ tier: 'pro', standing: 'active', billing: { reason: 'bursar stripe sync' } })
    cancel()
    expect(await stage.json('stripe', 'sync', 'ada')).toMatchObject({ customer, userId: 'ada', outcome: 'written', tier: 'free' })
    stage.now = NOW + 1_000
    expect(await stage.ok('budget', 'ada')).toMatch(/^standing +none since/m)
  })

  it('looks at everybody', async () => {
    const { stage } = await shop()
    const { code, out, errors } = await stage.run(['stripe', 'sync', '--all'])
    expect(code).toBe(0)
    expect(out).toContain('ada')
    expect(errors).toContain('1 customers, 0 without a user, 0 not looked at.')
  })

  it('fails where Stripe is away, and shows no key', async () => {
    const { stage, customer, close } = await shop()
    await close()
    for (const args of [['--customer', customer], ['--all']]) {
      const { code, out, errors } = await stage.run(['stripe', 'sync', ...args])
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(errors).toContain('bursar: ')
      expect(errors).not.toContain('sk_test')
    }
  })

  it.each([[], ['ada', '--all'], ['--customer', 'cus_1', '--all'], ['--all', '--tenant', 'x']])('refuses %s %s %s', async (...args) => {
    const { stage } = await shop()
    expect(await stage.run(['stripe', 'sync', ...args])).toMatchObject({ code: 2, out: '', errors: expect.stringMatching(/^bursar: [^\n]+\n$/) })
  })

  it('says of a user without a customer what to do', async () => {
    const { stage } = await shop()
    expect(await stage.run(['stripe', 'sync', 'nobody'])).toMatchObject({ errors: expect.stringContaining('no customer is known of "nobody"') })
  })

  it.each([
    [{}, /config\.stripe: is missing/],
    [{ stripe: { mapper: MAPPER } }, /config\.stripe\.secretKey: give either/],
    [{ stripe: { secretKey: 'sk_live_secretive', mapper: { tiers: {}, fallbackTier: 'x' } } }, /tier/],
    [{ stripe: { secretKey: 'sk_live_secretive', mapper: MAPPER, pastDueGrase: '3d' } }, /stripe\.pastDueGrase: is no known option/],
  ])('refuses a configuration like %j', async (config, message) => {
    const stage = new Stage()
    stage.write('bursar.config.json', { defaultTier: 'free', store: 'sqlite:./bursar.db', tiers: { free: { daily: 1 }, pro: { daily: 2 } }, ...config })
    const { code, errors } = await stage.run(['stripe', 'sync', '--all'])
    expect(code).toBe(2)
    expect(errors).toMatch(message)
    expect(errors).not.toContain('sk_live')
  })
})
