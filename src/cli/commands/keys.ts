// `bursar keys`: who may ask a server that works on the configured store. A key is shown once, on stdout, when it is made or rotated.

import type { Command } from 'commander'
import { InvalidRequestError } from '../../errors/index.js'
import { ROLES, type Role } from '../../server/caller.js'
import { KeyBook, type ApiKey, type IssuedKey, type NewKey } from '../../server/keys/index.js'
import { parseDuration } from '../../time/index.js'
import type { Act } from '../act.js'
import { readConfiguration } from '../configuration.js'
import { openEngine } from '../engine.js'
import type { Run } from '../run.js'
import { listOf } from '../table.js'
import { parseTime, showTime } from '../times.js'

interface Shown {
  readonly json?: boolean | undefined
}

interface CreateOptions extends Shown {
  readonly name: string
  readonly role: string
  readonly tenant?: string | undefined
  readonly user?: string | undefined
  readonly expires?: string | undefined
}

/** Adds the command and those below it. */
export function addKeys(program: Command, act: Act): void {
  const keys = program.command('keys').description('API keys of a server on the configured store')
  keys
    .command('list', { isDefault: true })
    .description('the keys that are there, also those that have expired or were revoked in the last 30 days')
    .option('--tenant <tenant>', 'only those of this tenant')
    .option('--json', 'as JSON lines')
    .action(act<Shown & { readonly tenant?: string | undefined }, []>(list))
  keys
    .command('create')
    .description('make a key: it is shown this once')
    .requiredOption('--name <name>', 'whose it is, for people')
    .requiredOption('--role <roles>', 'check (ask and settle), read (look), admin (change everything of its reach); several with commas between')
    .option('--tenant <tenant>', 'bind it to a tenant')
    .option('--user <id>', 'bind it to one user')
    .option('--expires <time>', "when it ends: '2027-01-01', or after how long: '90d'")
    .option('--json', 'as JSON')
    .action(act<CreateOptions, []>(create))
  keys
    .command('rotate')
    .description('give a key another secret: it is shown this once')
    .argument('<id>', 'the id of the key')
    .option('--grace <duration>', "for how long the secret before is still valid; '0': not at all", '1d')
    .option('--json', 'as JSON')
    .action(act<Shown & { readonly grace: string }, [string]>(rotate))
  keys.command('revoke').description('revoke a key').argument('<id>', 'the id of the key').option('--json', 'as JSON').action(act<Shown, [string]>(revoke))
}

async function bookFor(run: Run, mayCreate = false): Promise<KeyBook> {
  const { engine } = await openEngine(await readConfiguration(run), run, { mayCreate })
  return new KeyBook({ registry: engine.tracker.registry, clock: run.io.clock, mayBeOpen: false })
}

async function list(run: Run, { json, tenant }: Shown & { readonly tenant?: string | undefined }): Promise<void> {
  const found = (await (await bookFor(run)).list()).filter((key) => tenant === undefined || key.tenant === tenant)
  const { terminal, zone } = run
  if (json === true) for (const key of found) await terminal.json(key)
  else if (found.length > 0) {
    await terminal.table(
      [{ head: 'id' }, { head: 'name' }, { head: 'roles' }, { head: 'tenant' }, { head: 'user' }, { head: 'state' }, { head: 'secrets' }, { head: `created (${zone})` }, { head: `expires (${zone})` }],
      found.map(({ id, name, roles, tenant: of, userId, state, revokedAt, secrets, createdAt, expiresAt }) => [id, name, roles.join(', '), of, userId, revokedAt === undefined ? state : `${state} ${showTime(revokedAt.getTime(), zone)}`, secretsText(secrets, zone), showTime(createdAt.getTime(), zone), expiresAt && showTime(expiresAt.getTime(), zone)]),
    )
  }
  if (found.length === 0) terminal.say('There are no keys. "bursar keys create" makes one.')
}

function secretsText({ valid, earlierUntil }: ApiKey['secrets'], zone: string): string {
  return `${valid} valid${earlierUntil === undefined ? '' : `, earlier until ${showTime(earlierUntil.getTime(), zone)}`}`
}

async function create(run: Run, { json, ...options }: CreateOptions): Promise<void> {
  // What is wrong with it is said before anything is opened; the configuration may say in which zone times are meant.
  readKey(options, run)
  const book = await bookFor(run, true)
  await issued(run, await book.create(readKey(options, run)), json, 'was made')
}

async function rotate(run: Run, { json, grace }: Shown & { readonly grace: string }, id: string): Promise<void> {
  const graceMs = grace === '0' ? 0 : parseDuration(grace, '--grace')
  await issued(run, await (await bookFor(run)).rotate(id, { graceMs }), json, 'has another secret')
}

async function revoke(run: Run, { json }: Shown, id: string): Promise<void> {
  await (await bookFor(run)).revoke(id)
  if (json === true) await run.terminal.json({ id, revoked: true }, 2)
  run.terminal.say(`Key ${id} was revoked: every process refuses it within a second.`)
}

/** The token stands alone on stdout: a script takes it from there, and no message repeats it. */
async function issued({ terminal, zone }: Run, { key, token }: IssuedKey, json: boolean | undefined, what: string): Promise<void> {
  if (json === true) return terminal.json({ key, token }, 2)
  await terminal.print(`${token}\n`)
  for (const line of listOf(shownAs(key, zone)).trimEnd().split('\n')) terminal.say(line)
  terminal.say(`Key ${key.id} ${what}. It is shown this once: keep it where secrets are kept.`)
}

function shownAs({ name, roles, tenant, userId, expiresAt }: ApiKey, zone: string): (readonly [string, string | undefined])[] {
  return [['name', name], ['roles', roles.join(', ')], ['tenant', tenant], ['user', userId], ['expires', expiresAt && `${showTime(expiresAt.getTime(), zone)} (${zone})`]]
}

function readKey({ name, role, tenant, user, expires }: CreateOptions, run: Run): NewKey {
  const roles = role.split(',').map((each) => each.trim())
  const unknown = roles.find((each) => !ROLES.includes(each as Role))
  if (unknown !== undefined) throw new InvalidRequestError(`--role: ${JSON.stringify(unknown)} is no role. Give ${ROLES.join(', ')}, with commas between.`)
  return {
    name,
    roles: roles as Role[],
    ...(tenant !== undefined && { tenant }),
    ...(user !== undefined && { userId: user }),
    ...(expires !== undefined && { expiresAt: new Date(readExpiry(expires, run)) }),
  }
}

/** A length is from now on: nobody wants a key that has ended. */
function readExpiry(text: string, { zone, now }: Run): number {
  return /^\d+(?:\.\d+)?(?:ms|s|m|h|d|w)$/.test(text) ? now + parseDuration(text, '--expires') : parseTime(text, '--expires', zone, now)
}
