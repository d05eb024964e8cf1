// The service as one handler of the Fetch API: who asks, how much and how fast, the routes, and what every answer carries. Listening is the
// business of others.

import { OpenAPIHono } from '@hono/zod-openapi'
import { noteFailure } from './http/failure-log.js'
import { gate } from './http/gate.js'
import { ownPrefix } from './ids.js'
import { nothingHere } from './http/methods.js'
import { problemAnswer, tell } from './problem.js'
import { requestLog, routeOf } from './http/request-log.js'
import { checkRoutes } from './routes/check.js'
import { costRoutes } from './routes/costs.js'
import { customerRoutes } from './routes/customers.js'
import { dashboardRoutes } from './routes/dashboard.js'
import { decisionRoutes } from './routes/decisions.js'
import { docsRoutes } from './routes/docs.js'
import { healthRoutes } from './routes/health.js'
import { holdRoutes } from './routes/holds.js'
import { keyRoutes } from './routes/keys.js'
import { limitRoutes } from './routes/limits.js'
import { metricsRoutes } from './routes/metrics.js'
import { reportRoutes } from './routes/reports.js'
import { sessionRoutes } from './routes/sessions.js'
import { stateRoutes } from './routes/state.js'
import { stripeRoutes } from './routes/stripe.js'
import { tenantRoutes } from './routes/tenants.js'
import { usageRoutes } from './routes/usage.js'
import { userRoutes } from './routes/users.js'
import { webhookRoutes } from './routes/webhooks.js'
import type { Env, Service, ServiceParts } from './service.js'
import { UnheldDecisions } from './decisions/unheld-decisions.js'

/** The app: `app.fetch(request)` answers. */
export type ServerApp = OpenAPIHono<Env>

/** In the order in which they are described. */
const ROUTES = [
  healthRoutes,
  metricsRoutes,
  docsRoutes,
  checkRoutes,
  holdRoutes,
  costRoutes,
  sessionRoutes,
  userRoutes,
  customerRoutes,
  tenantRoutes,
  limitRoutes,
  usageRoutes,
  reportRoutes,
  decisionRoutes,
  stateRoutes,
  keyRoutes,
  webhookRoutes,
  stripeRoutes,
  dashboardRoutes,
]

/** Puts the service together. */
export function createApp(parts: ServiceParts): ServerApp {
  const service: Service = { ...parts, unheld: parts.unheld ?? new UnheldDecisions(parts.clock) }
  const app = new OpenAPIHono<Env>()
  app.onError((error, context) => {
    const caller = context.get('caller') as Env['Variables']['caller'] | undefined
    const { document, headers, isUnforeseen } = tell(error, caller === undefined ? '' : ownPrefix(caller))
    if (isUnforeseen) noteFailure(service, error, { requestId: context.get('requestId'), route: routeOf(context) })
    return problemAnswer(document, headers)
  })
  app.notFound(nothingHere(app))
  app.use('*', requestLog(service))
  app.use('/v1/*', gate(service))
  for (const routesOf of ROUTES) app.route('/', routesOf(service, () => app))
  return app
}
