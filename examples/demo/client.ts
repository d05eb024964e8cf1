// One call of an application that uses bursar: it calls its SDK, and the SDK is wrapped. Refusals and failures are all it has to
// handle.

import { BudgetExceededError } from 'bursar'
import { setTimeout as sleep } from 'node:timers/promises'
import { aiSdkCaller } from './through/ai-sdk.js'
import { anthropicCaller } from './through/anthropic.js'
import { openaiCaller } from './through/openai.js'
import type { DemoBursar } from './budgets.js'
import type { Call, Sdk, User } from './traffic.js'

/** Makes one call of a user. Rejects with `BudgetExceededError`, or with what the SDK rejects with. */
export type Caller = (user: User, call: Call) => Promise<void>

/** A way to the models for each SDK. */
export type Callers = Readonly<Record<Sdk, Caller>>

const PAUSE_AFTER_BLOCK_MS = 50

/** The SDKs, wrapped, with the stand-in at the other end. */
export function openCallers(bursar: DemoBursar, url: string): Callers {
  return { openai: openaiCaller(bursar, url), anthropic: anthropicCaller(bursar, url), 'ai-sdk': aiSdkCaller(bursar, url) }
}

/** Makes one call for a user, if the budgets allow it. Rejects only for what the demo did not mean to happen. */
export async function ask(user: User, call: Call, callers: Callers): Promise<'answered' | 'refused' | 'failed'> {
  try {
    await callers[user.sdk](user, call)
    return 'answered'
  } catch (error) {
    if (error instanceof BudgetExceededError) {
      // Who is refused waits a moment: what other calls hold above their real cost comes free when they are settled.
      await sleep(PAUSE_AFTER_BLOCK_MS)
      return 'refused'
    }
    if (statusOf(error) === 500) return 'failed'
    throw error
  }
}

/** The HTTP status with which the provider has answered: the SDKs of the providers and the AI SDK each have a word for it. */
function statusOf(error: unknown): unknown {
  const { status, statusCode } = Object(error) as { status?: unknown; statusCode?: unknown }
  return status ?? statusCode
}
