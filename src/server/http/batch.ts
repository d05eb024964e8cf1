// Many requests in one: each is answered by itself, in the order in which they stand, and none waits for one that it does not depend on.

import type { Context } from 'hono'
import { InvalidRequestError } from '../../errors/index.js'
import { asObject } from '../decisions/asking.js'
import type { Answer } from '../decisions/decision-view.js'
import { noteFailure } from './failure-log.js'
import { ownPrefix } from '../ids.js'
import { tell } from '../problem.js'
import { MOST_ITEMS } from '../decisions/schemas.js'
import { quickAnswer } from './security-headers.js'
import type { Env, Service } from '../service.js'

/** How many items are asked for at once. */
const AT_ONCE = 32

/**
 * Answers the items of a batch. `keyOf`: items with the same key (of text) run one after another, as repeats do. Throws
 * `InvalidRequestError` for what is no batch, and a 429 where it has too many items for the rate limit; then none has run.
 */
export async function answerBatch(context: Context<Env>, service: Service, keyOf: (item: unknown) => unknown, answerOne: (item: unknown) => Promise<Answer>): Promise<Response> {
  if (context.req.header('idempotency-key') !== undefined) throw new InvalidRequestError('Idempotency-Key: is that of one request, and a batch has many. Give each item its own idempotencyKey.')
  const items = itemsOf(context.get('body'))
  if (items.length > 1) context.get('charge')(items.length - 1)
  const requestId = context.get('requestId')
  const prefix = ownPrefix(context.get('caller'))
  const answers: Pick<Answer, 'status' | 'body'>[] = []
  const answered = async (item: unknown): Promise<Pick<Answer, 'status' | 'body'>> => {
    try {
      const { status, body } = await answerOne(item)
      return { status, body }
    } catch (error) {
      const { document, isUnforeseen } = tell(error, prefix)
      if (isUnforeseen) noteFailure(service, error, { requestId, route: context.req.path })
      return { status: document.status, body: document }
    }
  }
  const running = new Map<unknown, Promise<unknown>>()
  let next = 0
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const at = next
      next += 1
      const item = items[at]
      const key = keyOf(item)
      const before = typeof key === 'string' ? running.get(key) : undefined
      const answer = before === undefined ? answered(item) : before.then(() => answered(item))
      if (typeof key === 'string') running.set(key, answer)
      answers[at] = await answer
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, work))
  return quickAnswer(200, { items: answers }, requestId)
}

function itemsOf(body: unknown): readonly unknown[] {
  const { items, ...others } = asObject(body, 'body')
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new InvalidRequestError(`${unknown}: is no known field. Send { items: [...] }.`)
  if (!Array.isArray(items)) throw new InvalidRequestError('items: is no list. Send { items: [...] }.')
  if (items.length > MOST_ITEMS) throw new InvalidRequestError(`items: are ${items.length}. Send at most ${MOST_ITEMS} at once.`)
  return items
}
