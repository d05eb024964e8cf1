// Made-up traffic of 14 days, asked of a real engine on a clock that starts in the past: what the dashboard shows of it was decided, not invented. The same
// moment gives the same traffic.

import { Bursar } from '../../bursar.js'
import type { BursarConfig } from '../../config.js'
import { storeId } from '../../server/ids.js'
import { drawer, seeded } from '../../simulate/spread.js'

/** What {@link fillSample} needs. */
export interface FillOptions {
  readonly config: BursarConfig
  /** A file that is not there. */
  readonly path: string
  /** When the traffic ends, in ms since the epoch. */
  readonly now: number
  /** Called when nothing stands in the way any more. */
  readonly begun?: (() => void) | undefined
  readonly signal?: AbortSignal | undefined
}

interface SampleUser {
  readonly userId: string
  readonly tenant: string
  readonly tier: string
  /** How much is asked, beside the others. */
  readonly weight: number
}

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const DAYS = 14
const REQUESTS = 2_700
/** How often those are asked again who shall have little left today, or nothing. */
const ROUNDS = 24
const SEED = 20
const TENANTS = ['acme', 'globex', 'initech']
const NAMES = ['ada', 'ben', 'carla', 'deniz', 'emma', 'farid', 'grace', 'hugo', 'ines', 'jonas', 'kim', 'lena', 'milan', 'nora', 'omar', 'petra', 'quinn', 'rosa', 'sami', 'tara', 'uwe', 'vera', 'wim', 'yara']
/** How much is asked in each hour of a day: never nothing. */
const HOURS = [3, 2, 2, 2, 2, 3, 5, 8, 13, 17, 18, 17, 15, 16, 18, 17, 15, 12, 10, 8, 7, 6, 5, 4]
const MODELS = { 'gpt-4o': 0.5, 'gpt-4o-mini': 0.25, 'claude-sonnet-4-5': 0.25 }
const HELD_FOR = '6h'

/** Writes a store file with traffic that ends now. Rejects with the signal's reason where that is aborted; there is no file then. */
export async function fillSample({ config, path, now, begun, signal }: FillOptions): Promise<void> {
  const [{ sqliteStore }, { openDatabase }] = await Promise.all([import('../../store/sqlite/index.js'), import('../../store/sqlite/driver.js')])
  const database = openDatabase(':memory:')
  begun?.()
  const from = now - DAYS * DAY_MS
  let at = from
  const clock = (): number => at
  const engine = new Bursar<string, string>({ ...config, decisionLog: { ...config.decisionLog, keep: 'notable' }, clock, store: sqliteStore({ database, clock }), logger: { debug: () => {}, warn: () => {} } })
  engine.on('hold-expired', () => {})
  try {
    const traffic = new Traffic(engine)
    await traffic.begin()
    const anybody = moments(from, now, REQUESTS, traffic.random).map((moment) => ({ moment, ask: (): Promise<unknown> => traffic.ask(traffic.anybody()) }))
    // Early in the day little was asked yet.
    const passed = now % DAY_MS
    const pressing = traffic.pressing(Math.ceil(ROUNDS * Math.min(1, 0.2 + (2 * passed) / DAY_MS)))
    const times = moments(now - passed, now, pressing.length, traffic.random)
    const asked = [...anybody, ...pressing.map((ask, index) => ({ moment: times[index] as number, ask }))].sort((one, other) => one.moment - other.moment)
    for (const { moment, ask } of asked) {
      signal?.throwIfAborted()
      at = moment
      await ask()
    }
    at = now
    await traffic.end()
    database.exec(`VACUUM INTO '${path.replaceAll("'", "''")}'`)
  } finally {
    await engine.close()
    database.close()
  }
}

/** When something is asked, so often, in order: more by day than by night, less at weekends. */
function moments(from: number, to: number, count: number, random: () => number): number[] {
  const hours = Array.from({ length: Math.ceil((to - from) / HOUR_MS) }, (_, index) => {
    const start = from + index * HOUR_MS
    const end = Math.min(to, start + HOUR_MS)
    const at = new Date(start)
    return { start, end, weight: ((end - start) / HOUR_MS) * (HOURS[at.getUTCHours()] as number) * ([0, 6].includes(at.getUTCDay()) ? 0.45 : 1) }
  })
  if (hours.length === 0) return Array.from({ length: count }, () => to)
  const draw = drawer(hours.map(({ weight }) => weight))
  const drawn = Array.from({ length: count }, () => {
    const { start, end } = hours[draw(random)] as (typeof hours)[number]
    return Math.floor(start + random() * (end - start))
  })
  return drawn.sort((one, other) => one - other)
}

class Traffic {
  readonly random = seeded(SEED)
  readonly #engine: Bursar<string, string>
  readonly #users: readonly SampleUser[] = NAMES.map((userId, index) => ({
    userId,
    tenant: TENANTS[index % 7 < 4 ? 0 : index % 7 < 6 ? 1 : 2] as string,
    tier: index % 8 === 1 ? 'enterprise' : index % 3 === 0 ? 'pro' : 'free',
    weight: 1 / (index + 1) ** 0.7,
  }))
  readonly #drawUser = drawer(this.#users.map(({ weight }) => weight))
  readonly #drawModel = drawer(Object.values(MODELS))

  constructor(engine: Bursar<string, string>) {
    this.#engine = engine
  }

  /** Who there is, and what was set for some of them. */
  async begin(): Promise<void> {
    const { tracker, limits } = this.#engine
    for (const { userId, tenant, tier } of this.#users) if (tier !== 'free') await tracker.setUserTier({ userId, tenant }, tier)
    const { userId, tenant } = this.#userOf('grace')
    await tracker.updateUserBudget({ userId, tenant }, { daily: 4 })
    await limits.create({ id: 'acme-week', scope: { kind: 'tenant', id: 'acme' }, budget: { weekly: 26 }, description: 'What the contract with acme says' })
    await limits.create({ id: 'globex-week', scope: { kind: 'tenant', id: 'globex' }, budget: { weekly: 6.5 }, mode: 'alert', description: 'Told, not blocked: the weekly plan of globex' })
  }

  anybody(): SampleUser {
    return this.#users[this.#drawUser(this.random)] as SampleUser
  }

  /** One request from its question to its end. Gives whether it was allowed. */
  async ask({ userId, tenant }: SampleUser, size = 1, model = Object.keys(MODELS)[this.#drawModel(this.random)] as string): Promise<boolean> {
    const [inputTokens, outputTokens] = [lengthOf(this.random, 5_200 * size), lengthOf(this.random, 650 * size)]
    const decision = await this.#engine.check({ userId, tenant, model, inputTokens, maxOutputTokens: Math.min(16_000, outputTokens * 2), idempotencyKey: storeId(tenant, this.#id()) })
    // What is refused or degraded is kept to be explained: in a turn of its own.
    if (decision.action === 'BLOCK' || decision.action === 'DEGRADE') await new Promise((resolve) => setTimeout(resolve, 0))
    if (!decision.allowed) return false
    // Some calls fail at the provider, and cost nothing.
    if (this.random() < 0.015) await decision.release()
    else await decision.settle({ usage: { inputTokens, outputTokens }, ...(decision.model !== undefined && { model: decision.model }) })
    return true
  }

  /** What is asked today beside the rest: by some until they are refused, by others until little is left. */
  pressing(rounds: number): (() => Promise<unknown>)[] {
    const goals = [['carla', 1], ['emma', 1], ['lena', 1], ['ada', 0.82], ['hugo', 0.85], ['farid', 0.93]] as const
    return Array.from({ length: rounds }, () => goals.map(([name, fullness]) => () => this.#askUntil(name, fullness))).flat()
  }

  /** Calls that are under way at this moment. */
  async end(): Promise<void> {
    for (const name of ['ben', 'grace', 'ada', 'nora', 'kim']) {
      const { userId, tenant } = this.#userOf(name)
      await this.#engine.check({ userId, tenant, model: 'gpt-4o', inputTokens: 9_000, maxOutputTokens: 2_000, holdTtl: HELD_FOR, idempotencyKey: storeId(tenant, this.#id()) })
    }
  }

  /** Asks as long as less of the day's budget is used. With 1: until it is refused, and now and then once more. */
  async #askUntil(name: string, fullness: number): Promise<void> {
    const user = this.#userOf(name)
    const { daily } = (await this.#engine.tracker.getUserSummary({ userId: user.userId, tenant: user.tenant })).periodCosts
    const used = daily?.usedPct ?? 0
    if (used >= 100 * fullness || (used > 99 && this.random() > 0.2)) {
      if (fullness === 1 && this.random() < 0.2) await this.ask(user)
      return
    }
    await this.ask(user, user.tier === 'free' ? 1 : 3, fullness === 1 ? 'claude-sonnet-4-5' : 'gpt-4o')
  }

  #userOf(name: string): SampleUser {
    return this.#users[NAMES.indexOf(name)] as SampleUser
  }

  /** As the server makes them, and the same each time. */
  #id(): string {
    return Array.from({ length: 4 }, () => Math.floor(this.random() * 2 ** 32).toString(16).padStart(8, '0')).join('-')
  }
}

/** Most are short, some are very long. */
function lengthOf(random: () => number, usual: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return Math.min(100_000, Math.max(20, Math.round(usual * Math.exp(0.8 * normal))))
}
