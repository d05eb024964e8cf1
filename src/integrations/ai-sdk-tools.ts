// The tools that a provider runs itself, and what they cost beside tokens: searches are counted in the answer, what nobody can count is
// refused. Knows no prices.

import { InvalidRequestError } from '../errors/index.js'
import type { Usage } from '../pricing/index.js'
import type { SdkCall, SdkModel, SdkTool } from './ai-sdk-shapes.js'

/** What the application runs itself, and what costs tokens only. */
const WITHOUT_FEE = /^((openai|azure)\.(custom|local_shell|apply_patch|tool_search|mcp|computer(_use_preview)?)|anthropic\.(bash|text_editor|computer|memory|web_fetch|tool_search_regex|tool_search_bm25)_\d{8}|google\.(code_execution|url_context))$/

/** Anthropic counts its searches in the usage. */
const IN_USAGE = /^anthropic\.web_search_\d{8}$/

/** Counted by their calls in the answer. */
const SEARCHES: Readonly<Record<string, Search | undefined>> = {
  'openai.web_search': 'webSearches',
  'openai.web_search_preview': 'webSearches',
  'openai.file_search': 'storageSearches',
  'azure.web_search': 'webSearches',
  'azure.web_search_preview': 'webSearches',
  'azure.file_search': 'storageSearches',
}

/** A shell that runs in a container of the provider's. */
const SHELL = /^(openai|azure)\.shell$/
const HOSTED_SHELLS: readonly unknown[] = ['containerAuto', 'containerReference']

type Search = 'webSearches' | 'storageSearches'

/** Anthropic runs code for the price of its tokens where a search or fetch of this date or later is there too. */
const FREE_CODE_SINCE = 20_260_209

/** Models that search for every answer. */
const SEARCHING_MODEL = /-search-(preview|api)(-|$)/

/** Throws `InvalidRequestError` where a tool, or the model itself, has a fee that stands in no usage and in no answer. */
export function assertCountable({ tools = [] }: SdkCall, { provider, modelId }: SdkModel): void {
  if (/^(openai|azure)\b/.test(provider) && SEARCHING_MODEL.test(modelId)) throw uncounted(`model: ${JSON.stringify(modelId)} searches for a fee that is in no usage. Search with a model of openai.responses() and the tool web_search, whose searches are counted`)
  const hasFreeCode = tools.some(({ id = '' }) => /^anthropic\.web_(search|fetch)_\d{8}$/.test(id) && Number(id.slice(-8)) >= FREE_CODE_SINCE)
  const fee = tools.find((tool) => tool.type !== 'function' && !isCountable(tool, hasFreeCode))
  if (fee !== undefined) throw uncounted(`tools: ${JSON.stringify(fee.id)} is run by the provider, and may have a fee that is in no usage. Leave it out`)
}

function uncounted(what: string): InvalidRequestError {
  return new InvalidRequestError(`${what}, make the call with bursar.guard() around the model that is not wrapped, or give budgetMiddleware the option unmetered: 'allow' to leave that uncounted.`)
}

function isCountable({ id = '', args }: SdkTool, hasFreeCode: boolean): boolean {
  if (SHELL.test(id)) return !HOSTED_SHELLS.includes((args?.['environment'] as { readonly type?: unknown } | null | undefined)?.type)
  if (/^anthropic\.code_execution_\d{8}$/.test(id)) return hasFreeCode
  return WITHOUT_FEE.test(id) || IN_USAGE.test(id) || Object.hasOwn(SEARCHES, id)
}

/** The searches in one answer, by its parts or pieces. */
export class HostedSearches {
  readonly #kinds: ReadonlyMap<unknown, Search>
  readonly #calls = new Map<Search, Set<unknown>>()

  /** `tools`: those of the call. Answers name them as the application did. */
  constructor(tools: readonly SdkTool[] = []) {
    this.#kinds = new Map(tools.flatMap(({ type, id = '', name }) => (type !== 'function' && Object.hasOwn(SEARCHES, id) ? [[name, SEARCHES[id] as Search] as const] : [])))
  }

  /** Takes in a part of the answer; true where it changes the count. */
  add(part: { readonly type: string }): boolean {
    const { type, toolName, toolCallId, providerExecuted, result } = part as { readonly [field: string]: unknown }
    const kind = this.#kinds.get(toolName)
    if (kind === undefined) return false
    if (type === 'tool-call' && providerExecuted === true) {
      const calls = this.#calls.get(kind) ?? new Set()
      this.#calls.set(kind, calls.add(toolCallId))
      return true
    }
    // Opening a page that was found, and looking in it, costs nothing: https://platform.openai.com/docs/guides/tools-web-search
    const action = (result as { readonly action?: { readonly type?: unknown } } | null | undefined)?.action?.type
    return type === 'tool-result' && action !== undefined && action !== 'search' && this.#calls.get(kind)?.delete(toolCallId) === true
  }

  /** All so far. */
  get usage(): Usage {
    return Object.fromEntries([...this.#calls].map(([kind, calls]) => [kind, calls.size]))
  }
}
