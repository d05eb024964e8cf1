// One call of an application that uses bursar: check, call the model that was decided on, settle what it cost.

import { formatUsd, type EnforcementAction } from 'bursar'
import { setTimeout as sleep } from 'node:timers/promises'
import OpenAI from 'openai'
import type { DemoBursar } from './budgets.js'
import { costMicrocents } from './prices.js'
import type { Peaks, Tally } from './tally.js'
import { MODEL, type Call, type User } from './traffic.js'

/** What a call needs and where it is counted. */
export interface Desk {
  readonly bursar: DemoBursar
  readonly openai: OpenAI
  readonly tally: Tally
  readonly peaks: Peaks
}

/** What a message may add to the tokens of its text: a generous bound. */
const MESSAGE_TOKENS = 16
const PAUSE_AFTER_BLOCK_MS = 50

/** Makes one call for a user, if the budgets allow it. Gives what was decided; rejects only for what the demo did not mean to happen. */
export async function ask(user: User, call: Call, { bursar, openai, tally, peaks }: Desk): Promise<EnforcementAction> {
  const decision = await bursar.check({
    userId: user.id,
    userTier: user.tier,
    model: MODEL,
    // A token has at least one byte.
    inputTokens: Buffer.byteLength(call.prompt) + MESSAGE_TOKENS,
    maxOutputTokens: call.maxTokens,
    ...(user.team !== undefined && { scopes: { team: user.team } }),
  })
  tally.actions[decision.action] += 1
  peaks.note(decision)
  // Who is refused waits a moment: what other calls hold above their real cost comes free when they are settled.
  if (!decision.allowed) {
    await sleep(PAUSE_AFTER_BLOCK_MS)
    return decision.action
  }
  const model = decision.model ?? MODEL
  try {
    const usage = await callModel(openai, model, user.id, call)
    const cost = costMicrocents(model, usage.prompt_tokens, usage.completion_tokens)
    tally.settle(await decision.settle({ cost: formatUsd(cost), tokens: usage.total_tokens, model }))
  } catch (error) {
    if (!(error instanceof OpenAI.InternalServerError)) throw error
    tally.failed += 1
    await decision.release()
  }
  return decision.action
}

async function callModel(openai: OpenAI, model: string, user: string, call: Call): Promise<OpenAI.CompletionUsage> {
  const request = { model, user, messages: [{ role: 'user' as const, content: call.prompt }], max_completion_tokens: call.maxTokens }
  let usage: OpenAI.CompletionUsage | null | undefined
  if (call.stream) {
    const stream = await openai.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })
    for await (const chunk of stream) usage = chunk.usage ?? usage
  } else {
    usage = (await openai.chat.completions.create(request)).usage
  }
  if (usage == null) throw new Error('the answer says nothing of its usage')
  return usage
}
