// What the library advises to call or to configure, in the words of HTTP: one table, from its phrases to ours. Pure.

/** A phrase of the library's messages, and what is said in its place over HTTP. A test meets each in a real message. */
export const REMEDIES: readonly (readonly [phrase: RegExp, here: string])[] = [
  [/tracker\.addCost\(\)/g, 'POST /v1/costs'],
  [/tracker\.refund\(\)/g, 'POST /v1/refunds'],
  [/tracker\.setUserTier\b/g, 'PUT /v1/users/{id}/tier'],
  [/bursar\.session\(\{ userId, id\b([^)]*)\}\)(, for the same user and tenant)?/g, 'POST /v1/sessions, giving { userId, sessionId$1}$2'],
  [/bursar\.session\(\)/g, 'POST /v1/sessions'],
  [/; raise(?:Cost|Token)Cap\(\) raises it\./g, '; a cap is raised by the application, or in a new session.'],
  [/limits\.list\(\) tells which are/g, 'GET /v1/limits tells which are'],
  [/limits\.change\(\) changes it/g, 'PATCH changes it'],
  // The decision itself is not there over HTTP, and nothing can be metered on it.
  [/, and nothing was metered\./g, '.'],
  [/, meter usage with addUsage\(\), or release\(\) a call that was not made\./g, ', or release the hold of a call that was not made: POST /v1/holds/{id}/release.'],
  [/, inputTokens and a model with a price, or configure estimate\(request, model\)\./g, ', or inputTokens and a model with a price.'],
  [/, or configure prices \(priceBook\(\) of bursar\/prices\)(?: or estimate\(request, model\))?\./g, '. The operator can configure prices.'],
  [/Give its price under prices\.models \(0 is a price\), its provider, another name of it under prices\.aliases, or an estimatedCost and a cost with the call\./g, 'Give its provider, or an estimatedCost and a cost in USD with the call; the operator can configure its price.'],
  [/; or its price under prices\.models \(0 is a price\), another name of it under prices\.aliases, or an estimatedCost and a cost with the call\./g, '; or an estimatedCost and a cost in USD with the call.'],
  [/in its price under prices\.models; 0 is a rate\./g, 'in its price (the operator configures it), or send the cost in USD.'],
  [/; a provider's own usage is read by openaiUsage\(\) and anthropicUsage\(\)\./g, "; usage as a provider reports it is sent with usageFormat: 'openai' or 'anthropic'."],
]

/** A message of the library for whoever reads it over HTTP. */
export function overHttp(message: string): string {
  return REMEDIES.reduce((text, [phrase, here]) => text.replace(phrase, here), message)
}
