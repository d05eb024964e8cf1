// The errors of the API, in Stripe's words.

/** An error as Stripe answers it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code?: string,
    readonly param?: string,
    readonly type: string = 'invalid_request_error',
  ) {
    super(message)
  }

  /** The body of the answer. */
  toJSON(): object {
    const { type, code, message, param } = this
    return { error: { type, ...(code !== undefined && { code }), message, ...(param !== undefined && { param }) } }
  }
}

/** An object in the path that there is not: 404. One that a parameter names: 400. */
export function missing(status: 400 | 404, kind: string, id: string, param: string): ApiError {
  return new ApiError(status, `No such ${kind}: '${id}'`, 'resource_missing', param)
}

/** What a request that is made to fail is answered. */
export function failure(status: number): ApiError {
  if (status === 429) {
    const message = 'Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.'
    return new ApiError(429, message, 'rate_limit')
  }
  if (status < 500) return new ApiError(status, 'The stand-in refuses this request, as it was told to.')
  const message = 'Sorry! There was an error while talking to one of our backends. Support has been notified.'
  return new ApiError(status, message, undefined, undefined, 'api_error')
}
