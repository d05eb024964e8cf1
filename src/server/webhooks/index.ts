// Outgoing webhooks. What other rooms use of it.

export { Webhooks, type WebhooksOptions } from './webhooks.js'
