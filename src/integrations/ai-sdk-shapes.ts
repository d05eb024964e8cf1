// What is read of the AI SDK's models, calls and answers, and no more: the same in the specifications v3 (ai 6) and v4 (ai 7), so that
// neither package is needed to compile against.

/** What a model says of itself. */
export interface SdkModel {
  readonly specificationVersion: string
  /** Such as `openai.chat`. */
  readonly provider: string
  readonly modelId: string
}

/** A language model of the AI SDK. */
export interface SdkLanguageModel extends SdkModel {
  doGenerate(params: SdkCall): PromiseLike<SdkGenerated>
  doStream(params: SdkCall): PromiseLike<SdkStreamed>
}

/** A call as the AI SDK puts it to a model. */
export interface SdkCall {
  readonly prompt: readonly SdkMessage[]
  readonly maxOutputTokens?: number | undefined
  readonly responseFormat?: object | undefined
  readonly tools?: readonly SdkTool[] | undefined
  readonly abortSignal?: AbortSignal | undefined
  readonly providerOptions?: SdkProviderOptions | undefined
}

/** Options for single providers, by their names. */
export type SdkProviderOptions = Readonly<Record<string, unknown>>

/** One message of a prompt. */
export interface SdkMessage {
  readonly role: string
  readonly content: string | readonly SdkPart[]
  readonly providerOptions?: SdkProviderOptions | undefined
}

/** A part of a message. */
export interface SdkPart {
  readonly type: string
  readonly providerOptions?: SdkProviderOptions | undefined
}

/** A tool: `function`, or one that the provider runs itself. */
export interface SdkTool {
  readonly type: string
  readonly name?: string | undefined
  /** Of one that the provider knows: `openai.web_search`. */
  readonly id?: string | undefined
  readonly args?: Readonly<Record<string, unknown>> | undefined
  readonly providerOptions?: SdkProviderOptions | undefined
}

/** What was used, as the AI SDK counts it. */
export interface SdkUsage {
  readonly inputTokens: { readonly total: number | undefined; readonly cacheRead: number | undefined; readonly cacheWrite: number | undefined }
  readonly outputTokens: { readonly total: number | undefined; readonly reasoning: number | undefined }
  /** The provider's own usage object. */
  readonly raw?: object | undefined
}

/** What a provider says beside the answer, by its name. */
export type SdkMetadata = Readonly<Record<string, unknown>>

/** A part of an answer. */
export interface SdkContent {
  readonly type: string
  readonly providerMetadata?: SdkMetadata | undefined
}

/** A whole answer. */
export interface SdkGenerated {
  readonly content?: readonly SdkContent[] | undefined
  readonly usage: SdkUsage
  readonly providerMetadata?: SdkMetadata | undefined
  readonly response?: { readonly modelId?: string | undefined; readonly body?: unknown } | undefined
}

/** An answer in pieces. */
export interface SdkStreamed {
  readonly stream: ReadableStream<SdkStreamPart>
}

/** One piece of an answer. */
export interface SdkStreamPart {
  readonly type: string
}

/** A call to an embedding model. */
export interface SdkEmbedCall {
  readonly values: readonly string[]
  readonly abortSignal?: AbortSignal | undefined
}

/** The answer to it. */
export interface SdkEmbedded {
  readonly usage?: { readonly tokens: number } | undefined
  readonly providerMetadata?: SdkMetadata | undefined
}
