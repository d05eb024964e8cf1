// What a call can be charged for: one table of what stands where in a usage, in a price and in the catalog, and what is part of what.
// Knows no price.

import type { RateName, TokenKind } from './price.js'
import type { Usage } from './usage.js'

/** A field of {@link Usage} that is counted. */
export type UsageField = Exclude<keyof Usage, 'cost'>

/** One thing that is counted and priced. */
export interface Meter {
  readonly field: UsageField
  readonly rate: RateName
  /** How many of it the rate is for, where the rate does not say so. */
  readonly per: number
  /** The key of genai-prices, and how many of it that key's price is for. */
  readonly catalogKey: string
  readonly catalogPer: number
  /** The totals that it is directly part of. */
  readonly partOf: readonly UsageField[]
  /** For tokens: which way they go, and the kind that they are of; no kind for plain text. */
  readonly tokens?: 'in' | 'out'
  readonly kind?: TokenKind
  /** True where it may have decimals. */
  readonly decimal?: boolean
}

/** How genai-prices names the price of a call, and how many calls that is for. */
export const CALLS = { rate: 'perCall', per: 1, catalogKey: 'requests_kcount', catalogPer: 1_000 } as const satisfies Partial<Meter>

const MILLION = 1_000_000
const THOUSAND = 1_000
const HOUR = 3_600

/** All meters, totals before their parts. */
export const METERS: readonly Meter[] = [
  tokens('inputTokens', 'input', 'input_mtok', 'in', []),
  tokens('cachedInputTokens', 'cachedInput', 'cache_read_mtok', 'in', ['inputTokens']),
  tokens('cacheWriteTokens', 'cacheWrite', 'cache_write_mtok', 'in', ['inputTokens'], 'cache-write'),
  tokens('cacheWrite1hTokens', 'cacheWrite1h', 'cache_write_1h_mtok', 'in', ['cacheWriteTokens'], 'cache-write-1h'),
  tokens('inputAudioTokens', 'inputAudio', 'input_audio_mtok', 'in', ['inputTokens'], 'audio'),
  tokens('cachedInputAudioTokens', 'cachedInputAudio', 'cache_audio_read_mtok', 'in', ['inputAudioTokens', 'cachedInputTokens'], 'audio'),
  tokens('inputImageTokens', 'inputImage', 'input_image_mtok', 'in', ['inputTokens'], 'image'),
  tokens('cachedInputImageTokens', 'cachedInputImage', 'cache_image_read_mtok', 'in', ['inputImageTokens', 'cachedInputTokens'], 'image'),
  tokens('inputVideoTokens', 'inputVideo', 'input_video_mtok', 'in', ['inputTokens'], 'video'),
  tokens('outputTokens', 'output', 'output_mtok', 'out', []),
  tokens('reasoningTokens', 'reasoning', 'output_reasoning_mtok', 'out', ['outputTokens'], 'reasoning'),
  tokens('outputAudioTokens', 'outputAudio', 'output_audio_mtok', 'out', ['outputTokens'], 'audio'),
  tokens('outputImageTokens', 'outputImage', 'output_image_mtok', 'out', ['outputTokens'], 'image'),
  tokens('outputVideoTokens', 'outputVideo', 'output_video_mtok', 'out', ['outputTokens'], 'video'),
  tokens('citationTokens', 'citation', 'output_citation_mtok', 'out', ['outputTokens'], 'citation'),
  { field: 'webSearches', rate: 'perWebSearch', per: 1, catalogKey: 'web_searches_kcount', catalogPer: THOUSAND, partOf: [] },
  { field: 'storageSearches', rate: 'perStorageSearch', per: 1, catalogKey: 'storage_searches_kcount', catalogPer: THOUSAND, partOf: [] },
  { field: 'documentPages', rate: 'perDocumentPage', per: 1, catalogKey: 'input_document_kpages', catalogPer: THOUSAND, partOf: [] },
  { field: 'annotatedDocumentPages', rate: 'perAnnotatedDocumentPage', per: 1, catalogKey: 'input_annotated_document_kpages', catalogPer: THOUSAND, partOf: ['documentPages'] },
  { field: 'textMessages', rate: 'perTextMessage', per: 1, catalogKey: 'input_text_messages_kcount', catalogPer: THOUSAND, partOf: [] },
  { field: 'audioSeconds', rate: 'perAudioSecond', per: 1, catalogKey: 'audio_hours', catalogPer: HOUR, partOf: [], decimal: true },
  { field: 'inputAudioSeconds', rate: 'perInputAudioSecond', per: 1, catalogKey: 'input_audio_hours', catalogPer: HOUR, partOf: ['audioSeconds'], decimal: true },
  { field: 'images', rate: 'perImage', per: 1, catalogKey: '', catalogPer: 1, partOf: [] },
  { field: 'seconds', rate: 'perSecond', per: 1, catalogKey: '', catalogPer: 1, partOf: [], decimal: true },
]

function tokens(field: UsageField, rate: RateName, catalogKey: string, direction: 'in' | 'out', partOf: readonly UsageField[], kind?: TokenKind): Meter {
  return { field, rate, per: MILLION, catalogKey, catalogPer: MILLION, partOf, tokens: direction, ...(kind !== undefined && { kind }) }
}

const positions = new Map<string, number>(METERS.map((meter, index) => [meter.field, index]))

/** Where a field of a usage stands in {@link METERS}; `undefined` for what is none. */
export function meterIndex(field: string): number | undefined {
  return positions.get(field)
}

/** For each meter, those that it is directly part of, by their places. */
export const PARENTS: readonly (readonly number[])[] = METERS.map(({ partOf }) => partOf.map((field) => positions.get(field) as number))

/** For each meter, all that it is part of, directly or not, by their places. */
export const ANCESTORS: readonly (readonly number[])[] = METERS.reduce<number[][]>((found, _, index) => {
  const parents = PARENTS[index] as readonly number[]
  return [...found, [...new Set([...parents, ...parents.flatMap((parent) => found[parent] as number[])])]]
}, [])
