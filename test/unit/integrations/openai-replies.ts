// Answers as OpenAI gives them.

/** A chat completion. gpt-4o costs 250 microcents for a token in, 125 for one from the cache, and 1000 for one out. */
export const completion = (more: object = {}): object => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'gpt-4o-2024-08-06',
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Hello.', refusal: null }, logprobs: null }],
  usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120, prompt_tokens_details: { cached_tokens: 40 } },
  ...more,
})

/** 60 × 250 + 40 × 125 + 20 × 1000. */
export const COMPLETION_COST = 40_000

const chunk = (more: object): object => ({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-2024-08-06', ...more })
const delta = (content: string, finish: string | null = null): object => chunk({ choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: finish }], usage: null })

/** The chunks of a completion, with its usage where it was asked for. */
export const chunks = [delta('Hel'), delta('lo.'), delta('', 'stop'), chunk({ choices: [], usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 } })]

/** 100 × 250 + 20 × 1000. */
export const CHUNKS_COST = 45_000

/** A response. */
export const response = (more: object = {}): object => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  status: 'completed',
  model: 'gpt-4o-2024-08-06',
  output: [{ id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: '{"answer":4}', annotations: [] }] }],
  usage: { input_tokens: 100, output_tokens: 20, total_tokens: 120, input_tokens_details: { cached_tokens: 40 }, output_tokens_details: { reasoning_tokens: 0 } },
  ...more,
})

/** The events of a response. */
export const responseEvents = [
  { type: 'response.created', sequence_number: 0, response: response({ status: 'in_progress', output: [], usage: null }) },
  { type: 'response.output_item.added', sequence_number: 1, output_index: 0, item: { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] } },
  { type: 'response.content_part.added', sequence_number: 2, output_index: 0, item_id: 'msg_1', content_index: 0, part: { type: 'output_text', text: '', annotations: [] } },
  { type: 'response.output_text.delta', sequence_number: 3, output_index: 0, item_id: 'msg_1', content_index: 0, delta: '{"answer":4}', logprobs: [] },
  { type: 'response.completed', sequence_number: 4, response: response() },
]
