// The most that a call of the AI SDK can use, as far as the call itself says so. Knows no prices and no budgets.

import { tokensAtMost, type TokenKind } from '../pricing/index.js'
import { KeptItems, referredIds } from './ai-sdk-items.js'
import type { SdkCall, SdkMessage, SdkPart, SdkProviderOptions } from './ai-sdk-shapes.js'

/** A provider that is given tools, or a form for the answer, explains them to the model in words of its own: some hundred tokens. */
const EXPLANATION_TOKENS = 1_024

/** Parts and results of tools in which everything is text. */
const TEXT = new Set(['text', 'reasoning', 'tool-call', 'tool-approval-response', 'json', 'error-text', 'error-json', 'execution-denied'])

/** Under these names a provider continues a conversation that it has kept: what the model reads is not in the call. */
const CONTINUED = ['previousResponseId', 'conversation']
const NOTHING_KEPT = new KeptItems()

/** How a call is counted. */
export interface Counting {
  /** What the provider keeps of earlier answers. */
  readonly kept?: KeptItems | undefined
  /** The tokens of a text, or more. Default: its UTF-8 bytes. */
  readonly tokensOf?: ((text: string) => number) | undefined
}

/**
 * The most tokens that the model reads: the tokens, or bytes, of the prompt, the tools and the schema as JSON, whose own marks stand for those
 * that a provider puts around messages, and what `kept` has of earlier answers that it reads again. `undefined` where the model reads what is
 * not text or not in the call: files, results of tools that the provider runs, a conversation or reasoning that it has kept.
 */
export function inputTokensAtMost(call: SdkCall, { kept = NOTHING_KEPT, tokensOf = tokensAtMost }: Counting = {}): number | undefined {
  const { prompt, tools = [], responseFormat, providerOptions } = call
  if (!prompt.every(isText) || tools.some(({ type }) => type !== 'function') || isContinued(providerOptions)) return undefined
  const reread = kept.tokensBehind(referredIds(call))
  if (reread === undefined) return undefined
  const explained = tools.length > 0 || (responseFormat as { type?: string } | undefined)?.type === 'json'
  return reread + tokensOf(JSON.stringify([prompt, tools, responseFormat ?? null])) + (explained ? EXPLANATION_TOKENS : 0)
}

/** The most tokens that the model writes; `undefined` where the call does not say. On some providers a budget for thinking comes on top. */
export function outputTokensAtMost({ maxOutputTokens, providerOptions }: SdkCall): number | undefined {
  if (maxOutputTokens === undefined) return undefined
  return maxOutputTokens + thinkingBudget(providerOptions, 'anthropic', 'thinking') + thinkingBudget(providerOptions, 'bedrock', 'reasoningConfig')
}

/** Which tokens beside plain text the call can cause: nothing is written to a cache, heard or spoken unless it says so. */
export function tokenKindsOf(call: SdkCall): readonly TokenKind[] {
  const options = JSON.stringify([call.providerOptions, ...(call.tools ?? []).map((tool) => tool.providerOptions), ...call.prompt.flatMap(optionsOf)])
  const kinds: TokenKind[] = ['reasoning', 'citation', 'image']
  if (!call.prompt.every(isText) || /audio|video|modalit/i.test(options)) kinds.push('audio', 'video')
  if (/cache/i.test(options)) kinds.push('cache-write', ...(options.includes('1h') ? (['cache-write-1h'] as const) : []))
  return kinds
}

function isText({ role, content }: SdkMessage): boolean {
  return typeof content === 'string' || (content.every(isTextPart) && !(role === 'assistant' && content.some(isHosted)))
}

/** A tool that the provider has run: the model reads again what it keeps of that. */
function isHosted(part: SdkPart): boolean {
  return part.type === 'tool-result' || (part as { readonly providerExecuted?: unknown }).providerExecuted === true
}

function isTextPart(part: SdkPart): boolean {
  if (part.type !== 'tool-result') return TEXT.has(part.type)
  const { output } = part as unknown as { readonly output: { readonly type: string; readonly value?: readonly SdkPart[] } }
  return output.type === 'content' ? (output.value ?? []).every(({ type }) => type === 'text') : TEXT.has(output.type)
}

function isContinued(options: SdkProviderOptions = {}): boolean {
  return Object.values(options).some((own) => CONTINUED.some((name) => fieldOf(own, name) !== undefined && fieldOf(own, name) !== null))
}

function thinkingBudget(options: SdkProviderOptions | undefined, provider: string, field: string): number {
  const budget = fieldOf(fieldOf(options?.[provider], field), 'budgetTokens')
  return Number.isSafeInteger(budget) && (budget as number) > 0 ? (budget as number) : 0
}

function optionsOf({ content, providerOptions }: SdkMessage): unknown[] {
  return typeof content === 'string' ? [providerOptions] : [providerOptions, ...content.map((part) => part.providerOptions)]
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined
}
