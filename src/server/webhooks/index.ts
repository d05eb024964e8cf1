// Outgoing webhooks. What other rooms use of it.

export type { Delivery } from './deliveries.js'
export type { Endpoint, IssuedEndpoint } from './endpoint.js'
export { noEndpoint } from './endpoints.js'
export { EVENTS } from './message.js'
export { Webhooks, type WebhooksOptions } from './webhooks.js'
