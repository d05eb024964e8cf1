// Workers take jobs and call the model, each call under the budget of the job's customer. A call that is repeated after a crash has the
// same key, so it is counted once: a hold that was open is gone on with, and a cost that was settled is not settled again.

import { openaiUsage, tokensAtMost, type Bursar } from 'bursar'
import type OpenAI from 'openai'
import type { Answer, Job, Jobs } from './jobs.js'

const WORKERS = 4
const MODEL = 'gpt-4o'
const MOST_OUTPUT = 200

/** What a job needs at the least. */
export const LEAST_CALL = { model: MODEL, inputTokens: 16, maxOutputTokens: MOST_OUTPUT } as const

export class Workers {
  readonly #running = new Set<Promise<void>>()
  #isClosing = false

  constructor(
    private readonly bursar: Bursar<'trial' | 'team'>,
    private readonly jobs: Jobs,
    private readonly openai: OpenAI,
  ) {
    for (let worker = 0; worker < WORKERS; worker += 1) this.wake()
  }

  /** There is a new job. */
  wake(): void {
    if (this.#running.size >= WORKERS || this.#isClosing) return
    const running: Promise<void> = this.#work().finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  async close(): Promise<void> {
    this.#isClosing = true
    await Promise.all(this.#running)
  }

  async #work(): Promise<void> {
    while (!this.#isClosing) {
      const job = this.jobs.take()
      if (job === undefined) return
      // What was spent until then stays counted.
      await this.#do(job).catch((error: Error) => this.jobs.end(job.id, 'failed', error.message))
    }
  }

  async #do({ id, customer, parts }: Job): Promise<void> {
    for (const [index, text] of parts.entries()) {
      // Whoever starts next goes on with it.
      if (this.#isClosing) return
      const content = `Summarise in one sentence: ${text}`
      const decision = await this.bursar.check({ userId: customer, model: MODEL, inputTokens: tokensAtMost(content) + 16, maxOutputTokens: MOST_OUTPUT, idempotencyKey: `${id}/${index}` })
      if (!decision.allowed) return this.jobs.end(id, 'failed', decision.reason)
      try {
        const answer = this.jobs.answers(id)[index] ?? (await this.#call(decision.model ?? MODEL, content))
        if (this.jobs.answers(id)[index] === undefined) this.jobs.keep(id, index, answer)
        await decision.settle({ usage: openaiUsage(answer.usage), model: answer.model })
      } catch (error) {
        // The call has failed: its hold is given back. A process that is killed here leaves it for the one that comes after.
        await decision.release()
        throw error
      }
    }
    this.jobs.end(id, 'done')
  }

  async #call(model: string, content: string): Promise<Answer> {
    const completion = await this.openai.chat.completions.create({ model, messages: [{ role: 'user', content }], max_completion_tokens: MOST_OUTPUT })
    return { model: completion.model, text: completion.choices[0]?.message.content ?? '', usage: completion.usage ?? {} }
  }
}
