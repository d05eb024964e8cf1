// What a call has used, as a client sends it: in bursar's own fields, or as its provider has reported it. What is wrong with the counts, the
// library says.

import { InvalidRequestError } from '../../errors/index.js'
import { anthropicUsage, openaiUsage, type Usage } from '../../pricing/index.js'

/** Whose words a usage may be in, beside bursar's own. */
export const USAGE_FORMATS = ['openai', 'anthropic'] as const

const READERS: Readonly<Record<string, (usage: object) => Usage>> = { openai: openaiUsage, anthropic: anthropicUsage }

/**
 * The usage of a body. With `usageFormat`, the object as that provider reports it is read; without, it has bursar's own fields, and is
 * given as it is. Throws `InvalidRequestError` for what is no usage or no format, and `InvalidAmountError` for what is no count.
 */
export function readUsage({ usage, usageFormat }: { readonly usage?: unknown; readonly usageFormat?: unknown }): Usage {
  if (usage === undefined) throw new InvalidRequestError('usage: is missing. Send what the call has used, or leave usageFormat out.')
  if (typeof usage !== 'object' || usage === null || Array.isArray(usage)) throw new InvalidRequestError('usage: is no object. Send { "inputTokens": …, "outputTokens": … }, or the object of a provider with usageFormat.')
  if (usageFormat === undefined) return usage as Usage
  const read = typeof usageFormat === 'string' && Object.hasOwn(READERS, usageFormat) ? READERS[usageFormat] : undefined
  if (read === undefined) throw new InvalidRequestError(`usageFormat: ${JSON.stringify(usageFormat)} is none. Send ${USAGE_FORMATS.map((format) => `"${format}"`).join(' or ')}, or leave it out for usage in bursar's own fields.`)
  try {
    return read(usage)
  } catch (error) {
    // The converters are known by other names here.
    if (error instanceof InvalidRequestError) throw new InvalidRequestError(error.message.replace(/ Use (openai|anthropic)Usage\(\) for it\.$/, ' Send it with usageFormat "$1".'))
    throw error
  }
}
