// What users of Express must be able to write without a cast: read by the type check alone, never run.

import express, { type Request } from 'express'
import { Bursar, type AllowedDecision } from '../../src/index.js'
import { budget, budgetErrors } from '../../src/integrations/express.js'

const bursar = new Bursar({ tiers: { free: { daily: 0.1 }, pro: { daily: 1 } }, defaultTier: 'free' })

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(isSame: Equal<A, B>): void => void isSame

declare function userOf(req: Request): { readonly id: string; readonly plan: 'free' | 'pro' }

/** The middleware, where Express takes one. */
export function application(): void {
  const app = express()
  app.use('/chat', budget(bursar, { identity: (req: Request) => ({ userId: userOf(req).id, userTier: userOf(req).plan }) }))
  app.post('/chat', budget(bursar, { identity: ({ headers }) => ({ userId: String(headers['x-user']) }) }), (req, res) => void res.json(req.budget?.action))
  app.use(budget(bursar, { identity: { userId: 'ada' }, request: (req: Request) => ({ estimatedCost: req.path.length / 100 }) }))
  express.Router().post('/', budget(bursar, { identity: async (req: Request) => ({ userId: userOf(req).id }) }), (req, res) => void res.json(req.budget?.action))
  // @ts-expect-error a mistyped tier
  app.use(budget(bursar, { identity: (req: Request) => ({ userId: userOf(req).id, userTier: 'gold' }) }))
  app.use(budgetErrors)
}

/** The decision on a request: there behind the middleware, and not in front of it. */
export function handlers(req: Request): void {
  same<Request['budget'], AllowedDecision | undefined>(true)
  req.budget?.addUsage(10, 'input', { cost: 0.01 })
  // @ts-expect-error a route without the middleware has none
  req.budget.addUsage(10, 'input', { cost: 0.01 })
}
