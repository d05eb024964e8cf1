// What the tests of the AI SDK's middleware share: an engine with prices that can be worked out in the head, and the SDK's own mock
// models, which say what they have used.

import { convertArrayToReadableStream, MockLanguageModelV3 } from 'ai/test'
import { vi } from 'vitest'
import { Bursar, type BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'

/** The SDK's own shapes, as its models have them. */
export type CallOptions = MockLanguageModelV3['doGenerateCalls'][number]
type GenerateResult = Awaited<ReturnType<MockLanguageModelV3['doGenerate']>>
type SdkUsage = GenerateResult['usage']
type StreamPart = Awaited<ReturnType<MockLanguageModelV3['doStream']>>['stream'] extends ReadableStream<infer Part> ? Part : never

/** Waits for what comes by itself, however busy the machine is. */
export const eventually = <Result>(check: () => Result | Promise<Result>): Promise<Result> => vi.waitFor(check, { timeout: 20_000, interval: 5 }) as Promise<Result>

/** A dear model and a cheap one, USD for a million tokens; both read and write at most 10,000. */
export const PRICES = {
  models: {
    large: { input: 10, cachedInput: 1, cacheWrite: 12, cacheWrite1h: 20, output: 100, reasoning: 100, contextWindow: 10_000, maxOutputTokens: 1_000 },
    small: { input: 1, output: 10, contextWindow: 10_000, maxOutputTokens: 1_000 },
    vectors: { input: 5, contextWindow: 10_000 },
  },
}

/** An engine with those prices and one limit; its ladder leads from the dear model to the cheap one. */
export function engine(config: Partial<BursarConfig> = {}): Bursar {
  const given = { tiers: { free: { daily: 1 } }, defaultTier: 'free', prices: PRICES, ladder: { large: 'small' }, clock: manualClock(), ...config }
  return new Bursar(given as unknown as BursarConfig)
}

/** The counts of one call as the SDK puts them. */
export function usage(input: number | undefined, output: number | undefined, parts: { cacheRead?: number; cacheWrite?: number; reasoning?: number; raw?: object } = {}): SdkUsage {
  const { cacheRead, cacheWrite, reasoning, raw } = parts
  return {
    inputTokens: { total: input, noCache: undefined, cacheRead, cacheWrite },
    outputTokens: { total: output, text: undefined, reasoning },
    ...(raw !== undefined && { raw: raw as never }),
  }
}

/** A whole answer. */
export function answer(used: SdkUsage = usage(100, 10), more: Partial<GenerateResult> = {}): GenerateResult {
  return { content: [{ type: 'text', text: 'hello' }], finishReason: { unified: 'stop', raw: undefined }, usage: used, warnings: [], ...more }
}

/** The end of a streamed answer. */
export function finish(used: SdkUsage = usage(100, 10), more: object = {}): StreamPart {
  return { type: 'finish', usage: used, finishReason: { unified: 'stop', raw: undefined }, ...more }
}

/** The pieces of a text. */
export function pieces(...texts: string[]): StreamPart[] {
  return [{ type: 'text-start', id: '1' }, ...texts.map((delta) => ({ type: 'text-delta' as const, id: '1', delta })), { type: 'text-end', id: '1' }]
}

/** A model that answers so, whole and in pieces. */
export function mockModel(modelId: string, answers: { generate?: GenerateResult | GenerateResult[]; stream?: StreamPart[] } = {}): MockLanguageModelV3 {
  const { generate = answer(), stream = [...pieces('hel', 'lo'), finish()] } = answers
  return new MockLanguageModelV3({
    provider: 'openai.chat',
    modelId,
    doGenerate: generate,
    doStream: async () => ({ stream: convertArrayToReadableStream(stream) }),
  })
}
