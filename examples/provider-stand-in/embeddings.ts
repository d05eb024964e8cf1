// OpenAI's embeddings (platform.openai.com/docs/api-reference/embeddings), as far as its SDK needs them.

import type { Api } from './api.js'
import { readText, readUser, wrong } from './fields.js'
import { findModel, type Model } from './models.js'
import { openaiError } from './openai-error.js'

const DIMENSIONS = 8

/** `POST /v1/embeddings`. Never streamed. */
export const embeddings: Api = {
  provider: 'openai',

  read(fields) {
    const { input, encoding_format: format = 'float' } = fields
    if (format !== 'float' && format !== 'base64') throw wrong('encoding_format', "expected 'float' or 'base64'")
    const texts = (Array.isArray(input) ? input : [input]).map((text: unknown) => readText(text, 'input'))
    const encodings = { count: texts.length, asBase64: format === 'base64' }
    const asked = { model: readText(fields.model, 'model'), user: readUser(fields.user, 'user'), texts }
    return { ...asked, maxTokens: 0, cache: { texts: 0, forHour: false }, reasons: false, stream: false, encodings }
  },

  whole({ question, answer }) {
    const { count = 0, asBase64 = false } = question.encodings ?? {}
    const { snapshot } = findModel(question.model, 'openai') as Model
    const data = Array.from({ length: count }, (_, index) => {
      const vector = Float32Array.from({ length: DIMENSIONS }, (_value, dimension) => (dimension === index % DIMENSIONS ? 1 : 0))
      return { object: 'embedding', index, embedding: asBase64 ? Buffer.from(vector.buffer).toString('base64') : [...vector] }
    })
    return { object: 'list', data, model: snapshot, usage: { prompt_tokens: answer.used.fresh, total_tokens: answer.used.fresh } }
  },

  opening: () => [],
  part: () => [],
  closing: () => [],
  error: openaiError,
}
