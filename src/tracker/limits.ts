// Limits as data: made, changed and removed while requests run, and seen by every process within a second. What a limit is, and who
// meets it, src/limits knows; here stands what people do with them.

import { assertId, toUserRef, type UserArgument } from '../budget/index.js'
import { InvalidConfigError, InvalidRequestError, UnknownLimitError, UnknownScopeError, UnknownTierError } from '../errors/index.js'
import { assertToCome, changedRecord, EACH, givenOf, limitFrom, limitsOf, recordOf, scopeFor, stateAt, type KnownLimit, type Limit, type LimitPatch, type LimitRecord, type LimitState, type LimitTarget, type NewLimit } from '../limits/index.js'
import { noteChange } from './configured.js'
import { isOfOneTenant, type Foundation } from './foundation.js'
import { readLimits, readScopes } from './limit-reader.js'
import { limitWindows, triggeredOf, type LimitWindow, type Triggered } from './limit-windows.js'
import { assertKnownFields } from './requests.js'
import { standingOf, userStanding, type StandingOptions, type StandingWindow, type UserStanding } from './standing.js'
import { Tenants } from './tenants.js'

/** Which limits `limits.list` gives: those that have all of this. */
export interface LimitFilter {
  readonly kind?: string | undefined
  readonly id?: string | undefined
  readonly tenant?: string | undefined
  readonly mode?: Limit['mode'] | undefined
  readonly state?: LimitState | undefined
}

/** One member of a limit of `'*'`: an id, or of users `{ userId, tenant }`. */
export interface ProgressOptions {
  readonly member?: UserArgument | undefined
}

/**
 * Budgets that are made at run time, for any scope, each with counters of its own that begin with it: a request must fit all of
 * them, beside what is configured. Every change is in the store, and a line of the ledger; a process asks with it after a second at
 * the latest (in memory: at once). While the store is away what was known stands. Dates hold to the millisecond of store time; but what
 * was admitted under an `idempotencyKey` just when another limit began or ended stands, and so does a cost that was recorded then.
 */
export class Limits {
  /** What is set for tenants: the tier of their users, and their models. */
  readonly tenants: Tenants
  readonly #foundation: Foundation

  /** Made by `CostTracker`. */
  constructor(foundation: Foundation) {
    this.#foundation = foundation
    this.tenants = new Tenants(foundation)
  }

  /**
   * Makes a limit. It counts from now (or `from`) on: what was spent before is not in it. One of an id that its configured group lacks
   * makes that id known, as long as it is there, expired or not; `'*'` makes none known. Rejects with `InvalidRequestError` for what is
   * none, for an `until` that is past and for an id that is taken, with `UnknownScopeError` and `UnknownTierError` for a scope that nobody can be in, and with
   * `InvalidConfigError` for wrong thresholds, and for one that several tenants share where the store keeps them apart; then nothing
   * has changed. Rejects with `StoreUnavailableError` that names its id where it was made, and only its line in the ledger failed.
   */
  async create(limit: NewLimit): Promise<Limit> {
    const now = await this.#now()
    const { id = crypto.randomUUID(), ...record } = recordOf(limit, this.#foundation.plan.config, now)
    assertToCome(record, now)
    this.#assertTarget(record.scope)
    this.#assertJudged(id, record)
    const made = await this.#records.create(id, (before) => {
      if (before !== undefined) throw new InvalidRequestError(`id: limit "${id}" is there already. limits.change() changes it; or choose another id.`)
      return record
    })
    await noteChange(this.#foundation, {}, `limit "${id}" was made`, 'limit created', lineOf(made))
    return shown(made, now)
  }

  /** The limits that are there, by their ids; those that have expired too. */
  async list(filter: LimitFilter = {}): Promise<Limit[]> {
    assertKnownFields(filter, ['kind', 'id', 'tenant', 'mode', 'state'], 'filter')
    const known = limitsOf(await this.#records.load())
    const now = await this.#now()
    return known.map((each) => shown(each, now)).filter(({ scope, mode, state }) => {
      const found: Record<string, unknown> = { ...scope, mode, state }
      return Object.entries(filter).every(([field, wanted]) => wanted === undefined || found[field] === wanted)
    })
  }

  /** One limit; `undefined` where there is none of that id. */
  async get(id: string): Promise<Limit | undefined> {
    const known = await this.#find(id)
    return known && shown(known, await this.#now())
  }

  /**
   * Changes a limit: what the patch leaves out stays, and so does all that was counted. Two changes at the same time are both made.
   * Rejects with `UnknownLimitError`, and as {@link create} does; then nothing has changed.
   */
  async change(id: string, patch: LimitPatch): Promise<Limit> {
    assertId(id, 'id')
    const now = await this.#now()
    const { after } = await this.#records.write('limit', id, (before) => {
      if (before === undefined) throw new UnknownLimitError(id)
      const next = changedRecord(before, patch)
      if (next.until !== before.until) assertToCome(next, now)
      this.#assertJudged(id, next)
      return next
    })
    const changed = after as KnownLimit
    await noteChange(this.#foundation, {}, `limit "${id}" was changed`, 'limit changed', lineOf(changed))
    return shown(changed, now)
  }

  /** Takes a limit away. Another one of its id counts from the beginning. Rejects with `UnknownLimitError`. */
  async remove(id: string): Promise<void> {
    assertId(id, 'id')
    const removed = await this.#records.remove(id)
    if (removed === undefined) throw new UnknownLimitError(id)
    await noteChange(this.#foundation, {}, `limit "${id}" was removed`, 'limit removed', { id, ...removed })
  }

  /**
   * Every window of a limit as it stands, or of all active ones. Of a limit of `'*'` those of `member`, or else of each member in whose
   * anything is spent or held; to find them, all counters are read as an audit reads them (a store without an auditor tells of the members
   * that the configuration and the directory name). Rejects with `UnknownLimitError`.
   */
  async progress(id?: string, options: ProgressOptions = {}): Promise<LimitWindow[]> {
    assertKnownFields(options, ['member'], 'options')
    const limits = id === undefined ? await this.#active() : [await this.#known(id)]
    if (id === undefined && options.member !== undefined) throw new InvalidRequestError('member: needs the id of a limit. Give limits.progress(id, { member }).')
    const windows: LimitWindow[] = []
    for await (const read of readLimits(this.#foundation, limits, options.member)) windows.push(...limitWindows(read))
    return windows
  }

  /**
   * The windows of active limits, and of the shared budgets that the configuration names one by one, in which what is spent and held
   * is at or over a threshold now, with the highest of those; the most severe first. `budgets: false` leaves the configured ones out. Members of `'*'` are found as in {@link progress}.
   */
  async triggered(options: { readonly budgets?: boolean | undefined } = {}): Promise<Triggered[]> {
    assertKnownFields(options, ['budgets'], 'options')
    const found: Triggered[] = []
    for await (const read of readLimits(this.#foundation, await this.#active())) found.push(...triggeredOf(read))
    if (options.budgets !== false) for await (const read of readScopes(this.#foundation, this.#foundation.accounts.namedScopes())) found.push(...triggeredOf(read))
    return found.sort((a, b) => b.thresholdPct - a.thresholdPct || b.usedPct - a.usedPct)
  }

  /**
   * The windows of shared budgets that the configuration names one by one and of active limits as they stand, with the threshold that each
   * has reached. Unlike {@link progress} it reads no counters but those: of a limit of `'*'` it tells of tiers, of ids that the
   * configuration names, and of the tenants that are asked for.
   */
  async standing(options: StandingOptions = {}): Promise<StandingWindow[]> {
    assertKnownFields(options, ['sees', 'tenants'], 'options')
    return standingOf(this.#foundation, await this.#active(), options)
  }

  /**
   * All windows that a request of a user must fit, with their tier, the limits of their own, and the threshold that each window has reached.
   * `tier` is one that the request would name. Throws `UnknownTierError` for one that there is not.
   */
  async ofUser(user: UserArgument, tier?: string): Promise<UserStanding> {
    return userStanding(this.#foundation, toUserRef(user), tier)
  }

  get #records(): Foundation['accounts']['limits']['records'] {
    return this.#foundation.accounts.limits.records
  }

  async #now(): Promise<number> {
    const { accounts, store, effects } = this.#foundation
    const { now, effects: brought } = await store.read([])
    effects.announce(brought)
    accounts.limits.heard(now)
    return now
  }

  async #active(): Promise<KnownLimit[]> {
    const known = limitsOf(await this.#records.load())
    const now = await this.#now()
    return known.filter(({ value }) => stateAt(value, now) === 'active')
  }

  async #find(id: string): Promise<KnownLimit | undefined> {
    assertId(id, 'id')
    return this.#records.get('limit', id)
  }

  async #known(id: string): Promise<KnownLimit> {
    const known = await this.#find(id)
    if (known === undefined) throw new UnknownLimitError(id)
    return known
  }

  /** FAIL-LOUD: what nobody judges would fail every request that meets it. */
  #assertJudged(id: string, value: LimitRecord): void {
    const limit = { id, value, version: 0 }
    this.#foundation.accounts.limitScope(limit, scopeFor(limit))
  }

  /** FAIL-LOUD: a limit that nobody can meet is a mistake. */
  #assertTarget({ kind, id, tenant }: LimitTarget): void {
    const { plan, keepsTenantsApart } = this.#foundation
    if (kind === 'global' ? id !== undefined : id === undefined) throw new InvalidRequestError(kind === 'global' ? 'scope.id: a global limit has none. Leave it out.' : `scope.id: is missing. Give the id of the ${kind}, or '*' for a limit of each apart.`)
    if (tenant === EACH) throw new InvalidRequestError(`scope.tenant: is ${JSON.stringify(tenant)}, and names no tenant. Leave it out for users of every tenant: { kind: 'user', id: '*' }.`)
    if (tenant !== undefined && kind !== 'user') throw new InvalidRequestError(`scope.tenant: belongs to a user, and the limit is for a ${kind}. Leave it out.`)
    if (kind === 'tier' && id !== EACH && !plan.tiers.includes(id as string)) throw new UnknownTierError(`scope.id: "${id}" is no tier of the configuration. The tiers are ${plan.tiers.join(', ')}.`, id)
    const kinds = ['global', 'tenant', 'tier', 'user', ...plan.groups.filter((group) => group !== 'tenant' && group !== 'tier')]
    if (!kinds.includes(kind)) throw new UnknownScopeError(`scope.kind: "${kind}" is no kind of scope, and no group of that name is configured. Use ${kinds.join(', ')}, or add scopes.${kind} to the configuration.`)
    if (keepsTenantsApart && !isOfOneTenant(kind)) throw new InvalidConfigError(`scope.kind: a limit for ${kind === 'global' ? 'everybody' : `a ${kind}`} is shared by several tenants, and the store keeps tenants apart (partition: 'tenant'). Use partition: 'all', or limits for tenants and users.`)
  }
}

/** A limit as a line of the ledger has it: as `create` takes it, and what tells it from others of its id. */
/** With the version of its record: lines may be written in another order than records. */
function lineOf({ id, value, version }: KnownLimit): Record<string, unknown> {
  return { limit: givenOf(id, value), generation: value.generation, version }
}

function shown({ id, value, version }: KnownLimit, now: number): Limit {
  return limitFrom(id, value, version, now)
}
