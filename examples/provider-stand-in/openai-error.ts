// Errors as the OpenAI API answers them.

import type { ApiError } from './fields.js'

/** The body of an error. */
export function openaiError({ message, type, param, code }: ApiError): object {
  return { error: { message, type, param, code } }
}
