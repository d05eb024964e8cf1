// One worked example for each operation, in an order in which they can be tried: what an example needs, one before it has made. The page prints
// them as lines for a shell, and the OpenAPI document has them too. Pure.

/** An id that the server chooses: the answer of another operation has it. */
export interface AnsweredId {
  /** The variable of the shell that stands for it. */
  readonly variable: string
  readonly operationId: string
  /** Where it is in that answer: `key.id`. */
  readonly member: string
}

/** One request that does what its operation is for. */
export interface Example {
  readonly params?: Readonly<Record<string, string | AnsweredId>>
  readonly query?: Readonly<Record<string, string>>
  readonly body?: object
  /** It is answered to a key that is bound to a user. */
  readonly isOfUser?: true
  /** The answer goes on until whoever asks hangs up. */
  readonly isStream?: true
  /** Nobody sends it by hand, and why. */
  readonly notByHand?: string
}

const id = 'ada'
const hold = { id: 'job-4711' }
const key = { id: { variable: 'KEY_ID', operationId: 'postKeys', member: 'key.id' } }
const webhook = { id: { variable: 'WEBHOOK_ID', operationId: 'postWebhooks', member: 'endpoint.id' } }
const delivery = { variable: 'DELIVERY_ID', operationId: 'postWebhooksByIdTest', member: 'id' }
const check = { userId: id, model: 'gpt-5', estimatedCost: 0.02 }
const grace = { graceMs: 3_600_000 }
/** Far enough away for whoever reads it. */
const until = '2099-01-01T00:00:00Z'

/** The examples by `operationId`. */
export const EXAMPLES: Readonly<Record<string, Example>> = {
  postTenants: { body: { id: 'acme', name: 'Acme' } },
  getTenants: {},
  getTenantsByTenant: { params: { tenant: 'acme' } },
  putTenantsByTenant: { params: { tenant: 'acme' }, body: { name: 'Acme Ltd', models: ['gpt-5*', 'claude-*'] } },
  postCustomers: { body: { id, name: 'Ada Lovelace', email: 'ada@example.com' } },
  getCustomers: { query: { q: 'ada' } },
  getCustomersById: { params: { id } },
  putCustomersById: { params: { id }, body: { name: 'Ada Lovelace', email: 'ada@example.com', metadata: { plan: 'yearly' } } },
  patchCustomersById: { params: { id }, body: { metadata: { plan: 'monthly' } } },
  putUsersByIdTier: { params: { id }, body: { tier: 'pro' } },
  putUsersByIdBudget: { params: { id }, body: { daily: 5, until } },
  postLimits: { body: { id: 'trial', scope: { kind: 'user', id }, budget: { monthly: 20 }, description: 'While the trial lasts' } },
  getLimits: {},
  getLimitsTriggered: {},
  getLimitsById: { params: { id: 'trial' } },
  patchLimitsById: { params: { id: 'trial' }, body: { budget: { monthly: 30 } } },
  getLimitsByIdProgress: { params: { id: 'trial' } },
  postSessions: { body: { userId: id, sessionId: 'run-1', maxCost: 0.5, ttl: '1d' } },
  getUsersByIdSessionsBySession: { params: { id, session: 'run-1' } },
  postCheck: { body: { ...check, idempotencyKey: 'job-4711' } },
  postHoldsByIdExtend: { params: hold, body: { ttl: '10m' } },
  postHoldsByIdSettle: { params: hold, body: { cost: 0.0173 } },
  postCheckBatch: { body: { items: [{ ...check, idempotencyKey: 'job-4712' }, { ...check, idempotencyKey: 'job-4713' }, { ...check, estimatedCost: 1_000, idempotencyKey: 'job-4714' }] } },
  postHoldsByIdRelease: { params: { id: 'job-4712' } },
  postHoldsSettleBatch: { body: { items: [{ id: 'job-4713', cost: 0.0168 }] } },
  postCosts: { body: { userId: id, cost: 0.25, model: 'gpt-5' } },
  postCostsBatch: { body: { items: [{ userId: id, cost: 0.1, model: 'gpt-5' }] } },
  postRefunds: { body: { userId: id, cost: 0.05, reason: 'The answer was cut off' } },
  // What is refused is kept.
  getDecisionsById: { params: { id: 'job-4714' } },
  getUsersById: { params: { id } },
  getUsersByIdBudget: { params: { id }, query: { period: 'daily' } },
  getBudget: { isOfUser: true },
  getBudgetUnversioned: { isOfUser: true },
  getUsage: { query: { user: id, newest: 'true' } },
  getUsageCsv: { query: { user: id } },
  getReportsDaily: {},
  getReportsByClient: {},
  getReportsByModel: {},
  getReportsTop: {},
  getReportsBilling: {},
  getState: {},
  getLive: { isStream: true },
  postKeys: { body: { name: 'the application', roles: ['check'] } },
  getKeys: {},
  getKeysById: { params: key },
  postKeysByIdRotate: { params: key, body: grace },
  postWebhooks: { body: { url: 'https://example.com/hooks/bursar', events: ['threshold.reached'] } },
  getWebhooks: {},
  getWebhooksById: { params: webhook },
  patchWebhooksById: { params: webhook, body: { events: ['threshold.reached', 'request.denied'] } },
  postWebhooksByIdRotate: { params: webhook, body: grace },
  postWebhooksByIdTest: { params: webhook },
  getWebhooksByIdDeliveries: { params: webhook },
  postWebhooksByIdDeliveriesByDeliveryRetry: { params: { ...webhook, delivery } },
  postWebhooksStripe: { notByHand: 'Stripe sends it, and signs it: there is nothing to try by hand.' },
  getHealth: {},
  getReady: {},
  getMetrics: {},
  getOpenapiJson: {},
  getDocs: {},
  deleteWebhooksById: { params: webhook },
  deleteKeysById: { params: key },
  deleteUsersByIdBudget: { params: { id }, query: { period: 'daily' } },
  deleteLimitsById: { params: { id: 'trial' } },
  deleteCustomersById: { params: { id } },
  deleteTenantsByTenant: { params: { tenant: 'acme' } },
}
