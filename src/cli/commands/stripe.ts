// `bursar stripe sync`: looks at customers in Stripe, and writes the tiers that they have bought.

import type { Command } from 'commander'
import { toUserRef } from '../../budget/index.js'
import { BursarError, InvalidRequestError } from '../../errors/index.js'
import type { StripeTierSync, SyncResult } from '../../stripe/index.js'
import type { Act } from '../act.js'
import { readConfiguration } from '../configuration.js'
import { openEngine, type Engine } from '../engine.js'
import { EXIT } from '../failure.js'
import type { Run } from '../run.js'
import { syncOf } from '../stripe-sync.js'

interface SyncOptions {
  readonly tenant?: string | undefined
  readonly customer?: string | undefined
  readonly all?: boolean | undefined
  readonly json?: boolean | undefined
}

/** Adds the command. */
export function addStripe(program: Command, act: Act): void {
  program
    .command('stripe')
    .description("tiers from Stripe's subscriptions")
    .command('sync')
    .description('look at customers in Stripe, and write their tiers')
    .argument('[user]', 'the id of the user whose customers are looked at')
    .option('--tenant <tenant>', "the user's tenant")
    .option('--customer <id>', 'this customer: cus_…')
    .option('--all', 'every customer of the account')
    .option('--json', 'as JSON lines')
    .addHelpText('after', '\nExit code 1: a customer could not be looked at; the others were.')
    .action(act<SyncOptions, [string | undefined]>(sync))
}

async function sync(run: Run, options: SyncOptions, userId: string | undefined): Promise<number> {
  const { tenant, customer, all } = options
  if ([userId, customer, all].filter((given) => given !== undefined).length !== 1) throw new InvalidRequestError('stripe sync: give one of a user, --customer cus_… and --all.')
  if (tenant !== undefined && userId === undefined) throw new InvalidRequestError('--tenant: is a part of who the user is, and no user is given. Give the user, or leave it out.')
  const user = userId === undefined ? undefined : toUserRef({ userId, ...(tenant !== undefined && { tenant }) })
  const configuration = await readConfiguration(run)
  const { engine } = await openEngine(configuration, run, { mayCreate: true })
  const syncing = await syncOf(configuration, engine, run)
  if (all === true) return everybody(run, syncing, options)
  const customers = user === undefined ? [customer as string] : await customersOf(engine, user)
  const results: SyncResult[] = []
  for (const each of customers) {
    if (results.some((result) => result.customers?.includes(each))) continue
    results.push(await syncing.syncUser(each, 'bursar stripe sync'))
  }
  await print(run, results, options)
  return EXIT.done
}

async function customersOf({ tracker }: Engine, user: { readonly userId: string; readonly tenant?: string | undefined }): Promise<readonly string[]> {
  const customers = (await tracker.getUserBilling(user))?.customers ?? []
  if (customers.length > 0) return customers
  throw new BursarError('UNKNOWN_SCOPE', `user: no customer is known of "${user.userId}". Give the customer with --customer cus_…, or look at everybody with --all.`)
}

async function everybody(run: Run, syncing: StripeTierSync, options: SyncOptions): Promise<number> {
  const { terminal, secrets } = run
  const progress = terminal.progress('customers')
  const results: SyncResult[] = []
  syncing.events.on('synced', (result) => {
    results.push(result)
    progress.add()
  })
  // Heard here, and said below: nothing is to be warned of twice.
  syncing.events.on('sync-error', () => progress.add())
  syncing.events.on('parked', () => {})
  syncing.events.on('unmapped-price', ({ price, customer }) => terminal.say(`${customer}: no tier is sold as the price ${price}, and the last tier stays. Map it, or list it under "ignored".`))
  const { customers, parked, failed } = await syncing.syncAll().finally(() => progress.end())
  await print(run, results, options)
  for (const { customer, error } of failed) terminal.complain(`bursar: ${customer ?? 'the list of customers'}: ${secrets.hide(error instanceof Error ? error.message : String(error))}`)
  terminal.say(`${customers} customers, ${parked} without a user, ${failed.length} not looked at.`)
  return failed.length > 0 ? EXIT.failed : EXIT.done
}

async function print({ terminal }: Run, results: readonly SyncResult[], { json }: SyncOptions): Promise<void> {
  if (json === true) {
    for (const { customer, user, outcome, tier, puzzles } of results) await terminal.json({ customer, userId: user?.userId ?? null, tenant: user?.tenant ?? null, outcome, tier: tier ?? null, puzzles })
    return
  }
  if (results.length === 0) return
  await terminal.table(
    [{ head: 'customer' }, { head: 'user' }, { head: 'tenant' }, { head: 'outcome' }, { head: 'tier' }],
    results.map(({ customer, user, outcome, tier }) => [customer, user?.userId, user?.tenant, outcome, tier]),
  )
}
