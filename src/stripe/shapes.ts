// What bursar reads of Stripe's objects and calls of its client, and nothing more: any version of the official package that has
// these will do. Instants are seconds since the epoch, as Stripe gives them.

/** What was written on an object by the application. */
export type StripeMetadata = Readonly<Record<string, string>> | null | undefined

/** A product, or what is left of a deleted one. */
export interface StripeProduct {
  readonly id: string
  readonly metadata?: StripeMetadata
}

/** A price. Its product is an id unless it was expanded. */
export interface StripePrice {
  readonly id: string
  readonly product?: string | StripeProduct | null | undefined
  readonly lookup_key?: string | null | undefined
  /** How often it is billed: `day`, `week`, `month` or `year`, so many of them at a time. */
  readonly recurring?: { readonly interval: string; readonly interval_count: number } | null | undefined
}

/** One position of a subscription. */
export interface StripeItem {
  readonly id: string
  readonly price: StripePrice
  /** Since API version 2025-03-31; before, the subscription itself had it. */
  readonly current_period_start?: number | undefined
  readonly current_period_end?: number | undefined
}

/** What was billed last. */
export interface StripeInvoice {
  readonly id?: string | undefined
  readonly created: number
  readonly status: string | null
  readonly due_date?: number | null | undefined
  readonly status_transitions?: { readonly finalized_at: number | null } | undefined
}

/** A subscription with its current positions. */
export interface StripeSubscription {
  readonly id: string
  readonly status: string
  readonly created: number
  readonly cancel_at?: number | null | undefined
  readonly cancel_at_period_end?: boolean | undefined
  readonly items: { readonly data: readonly StripeItem[]; readonly has_more?: boolean | undefined }
  readonly latest_invoice?: string | StripeInvoice | null | undefined
  readonly metadata?: StripeMetadata
  readonly current_period_start?: number | undefined
  readonly current_period_end?: number | undefined
}

/** A customer, or what is left of a deleted one. */
export interface StripeCustomer {
  readonly id: string
  readonly deleted?: boolean | void
  readonly metadata?: StripeMetadata
}

/** A checkout of a customer. */
export interface StripeSession {
  readonly id: string
  readonly created: number
  readonly status: string | null
  readonly mode?: string | undefined
  readonly client_reference_id?: string | null | undefined
  readonly metadata?: StripeMetadata
}

/** An event, once its signature was found to be right. */
export interface StripeEvent {
  readonly id: string
  readonly type: string
  readonly livemode: boolean
  readonly account?: string | undefined
  readonly data: { readonly object: object }
}

/** The part of `new Stripe(key)` that is called. */
export interface StripeClient {
  readonly customers: {
    retrieve(id: string): Promise<StripeCustomer>
    list(params: { limit: number }): AsyncIterable<StripeCustomer>
  }
  readonly subscriptions: {
    list(params: { customer: string; status: 'all'; limit: number; expand: string[] }): AsyncIterable<StripeSubscription>
  }
  readonly subscriptionItems: {
    list(params: { subscription: string; limit: number }): AsyncIterable<StripeItem>
  }
  readonly products: {
    retrieve(id: string): Promise<StripeProduct>
  }
  readonly checkout: {
    readonly sessions: {
      list(params: { customer: string; limit: number }): AsyncIterable<StripeSession>
    }
  }
  readonly webhooks: {
    constructEventAsync(payload: string | Uint8Array, header: string, secret: string, tolerance?: number, cryptoProvider?: undefined, receivedAt?: number): Promise<StripeEvent>
  }
}
