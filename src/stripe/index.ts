// The door of 'bursar/stripe': tiers from Stripe's subscriptions, and the endpoint for its events.

export type { ExpressRequest, ExpressResponse } from './bodies.js'
export type { StripeSyncEvents, SyncResult } from './events.js'
export type { Puzzle } from './finding.js'
export { STRIPE_EVENTS } from './hints.js'
export { StripeTierMapper, type StripeTier, type StripeTierMapperConfig } from './mapper.js'
export type { OwnerClues } from './owner.js'
export type { Parked } from './parked.js'
export type * from './shapes.js'
export { StripeTierSync, type SyncAllResult } from './sync.js'
export type { StripeTierSyncConfig, TierBook } from './sync-config.js'
export { stripeWebhook, type StripeWebhook, type StripeWebhookConfig, type WebhookReply } from './webhook.js'
