// The service as one handler of the Fetch API: who asks, how much and how fast, the routes, and what every answer carries. Listening is the
// business of others.

import { OpenAPIHono } from '@hono/zod-openapi'
import { gate } from './gate.js'
import { prefixOf } from './ids.js'
import { nothingHere } from './methods.js'
import { problemAnswer, tell } from './problem.js'
import { requestLog, routeOf } from './request-log.js'
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
import type { Env, Service } from './service.js'

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
export function createApp(service: Service): ServerApp {
  const app = new OpenAPIHono<Env>()
  app.onError((error, context) => {
    const caller = context.get('caller') as Env['Variables']['caller'] | undefined
    const { document, headers, isUnforeseen } = tell(error, caller === undefined ? '' : prefixOf(caller.tenant))
    if (isUnforeseen) service.log.error({ err: error, requestId: context.get('requestId'), route: routeOf(context) }, 'a request failed')
    return problemAnswer(document, headers)
  })
  app.notFound(nothingHere(app))
  app.use('*', requestLog(service))
  app.use('/v1/*', gate(service))
  for (const routesOf of ROUTES) app.route('/', routesOf(service, () => app))
  return app
}
