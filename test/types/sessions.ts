// What must not compile of sessions, and what must: read by the type check alone, never run.

import { Bursar, SessionBudgetExceeded, UnknownSessionError, type Session, type SessionRequest, type SessionSummary } from '../../src/index.js'

const bursar = new Bursar({ tiers: { free: { daily: 0.1 }, pro: { daily: 1 } }, defaultTier: 'free', scopes: { team: { search: { daily: 40 } } } })

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(isSame: Equal<A, B>): void => void isSame

/** Opening, nesting, asking: names of tiers and scope groups are checked as in a request. */
export async function sessions(): Promise<void> {
  const session = await bursar.session({ userId: 'u', userTier: 'pro', scopes: { team: 'search' }, maxCost: '1.00', maxTokens: 1_000, id: 'run', ttl: '1h' })
  same<typeof session, Session<'free' | 'pro', 'team'>>(true)
  const nested: typeof session = await session.session({ maxCost: 0.1 })
  same<typeof nested.remainingBudget, number | null>(true)
  same<Awaited<ReturnType<typeof nested.summary>>, SessionSummary>(true)
  const request: SessionRequest<'free' | 'pro', 'team'> = { estimatedCost: 0.1, model: 'gpt-4o' }
  await session.check(request)
  const text: string = await session.guard({ estimatedCost: 0.1, model: 'gpt-4o' }, async ({ model }) => ({ result: model satisfies string, cost: 0 }))
  await session.guard({ estimatedCost: 0.1 }, async ({ model }) => {
    same<typeof model, string | undefined>(true)
    return { result: text, cost: 0 }
  })
  for await (const piece of await session.stream({ estimatedCost: 0.1 }, async function* () {
    yield 'piece'
  })) piece satisfies string
  await bursar.runAs(session.identity, () => bursar.check({ estimatedCost: 0 }))
  // @ts-expect-error a mistyped tier
  await bursar.session({ userId: 'u', userTier: 'premium', maxCost: 1 })
  // @ts-expect-error a scope group that is not configured
  await bursar.session({ userId: 'u', scopes: { project: 'x' }, maxCost: 1 })
  // @ts-expect-error a mistyped cap
  await bursar.session({ userId: 'u', maxcost: 1 })
  // @ts-expect-error another user's request
  await session.check({ userId: 'v', estimatedCost: 0 })
  // @ts-expect-error a mistyped tier in a request
  await session.check({ userTier: 'premium', estimatedCost: 0 })
  // @ts-expect-error a nested one has its parent's user
  await session.session({ userId: 'v' })
  // @ts-expect-error figures are read only
  session.remainingBudget = 5
}

/** The errors narrow. */
export function errors(error: unknown): number | Date | undefined {
  if (error instanceof SessionBudgetExceeded) return error.unit === 'usd' ? error.cap - error.used : error.denial.limit
  return error instanceof UnknownSessionError ? error.endedAt : undefined
}
