// Checks and endings as OpenTelemetry has them: spans beneath whatever runs, and metrics. Names are those of the semantic conventions for
// generative AI where there is one, else begin with "bursar.". A user's id is an attribute of spans where that is asked for, and of no metric.

import { context, metrics, SpanKind, SpanStatusCode, trace, type Attributes, type Counter, type Histogram, type MeterProvider, type Span, type Tracer, type TracerProvider } from '@opentelemetry/api'
import type { Bursar } from '../bursar.js'
import type { CheckAsked, CheckedCall, Decision, DeniedDecision, EndingAsked, SettledCall, Settlement, Telemetry, Watch } from '../decision/index.js'
import { InvalidConfigError, isBursarError } from '../errors/index.js'
import { steadyClock } from '../time/index.js'
import { BoundedLabels, OTHER } from './bounded-labels.js'

/** Options of {@link openTelemetry}. */
export interface OpenTelemetryOptions {
  /** Default: the global one. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Default: the global one. */
  readonly meterProvider?: MeterProvider | undefined
  /** Whether spans carry `user.id`. Default false: it may be personal data. */
  readonly userIds?: boolean | undefined
  /** `gen_ai.operation.name` of `gen_ai.client.token.usage`. Default `chat`; `null`: that metric is left to whoever instruments the client. */
  readonly operationName?: string | null | undefined
}

const SCOPE = 'bursar'
/** The conventions' own: powers of 4. */
const TOKEN_BUCKETS = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864]
const SECOND_BUCKETS = [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
/** Models and providers with names of their own in metrics; the catalog of prices has thousands. */
const MOST_MODELS = 100
const MOST_PROVIDERS = 50
const OPTIONS = ['tracerProvider', 'meterProvider', 'userIds', 'operationName']

/**
 * Tells OpenTelemetry of every check and every ending from now on; the function that it gives ends that. Spans are children of the active one.
 * Names stand in docs/telemetry.md. Throws `InvalidConfigError` for options that cannot work.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export function openTelemetry(bursar: Bursar<any, any>, options: OpenTelemetryOptions = {}): () => void {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) throw new InvalidConfigError(`options.${unknown}: is no known option. Use ${OPTIONS.join(', ')}.`)
  const { tracerProvider, meterProvider } = options
  if (tracerProvider !== undefined && typeof tracerProvider?.getTracer !== 'function') throw new InvalidConfigError('tracerProvider: is none. Give one of the OpenTelemetry SDK, or leave it out for the global one.')
  if (meterProvider !== undefined && typeof meterProvider?.getMeter !== 'function') throw new InvalidConfigError('meterProvider: is none. Give one of the OpenTelemetry SDK, or leave it out for the global one.')
  return (bursar as Bursar<string, string>).instrument(new Tracing(bursar as Bursar<string, string>, options))
}

class Tracing implements Telemetry {
  readonly #bursar: Bursar<string, string>
  readonly #tracer: Tracer
  readonly #userIds: boolean
  readonly #operationName: string | null
  readonly #tiers: BoundedLabels
  readonly #models = new BoundedLabels([], MOST_MODELS)
  readonly #providers = new BoundedLabels([], MOST_PROVIDERS)
  readonly #decisions: Counter
  readonly #cost: Counter
  readonly #checkSeconds: Histogram
  readonly #tokens: Histogram

  constructor(bursar: Bursar<string, string>, { tracerProvider = trace.getTracerProvider(), meterProvider = metrics.getMeterProvider(), userIds = false, operationName = 'chat' }: OpenTelemetryOptions) {
    this.#bursar = bursar
    this.#userIds = userIds
    this.#operationName = operationName
    this.#tiers = new BoundedLabels(bursar.tracker.tiers, 0)
    this.#tracer = tracerProvider.getTracer(SCOPE)
    const meter = meterProvider.getMeter(SCOPE)
    this.#decisions = meter.createCounter('bursar.decisions', { unit: '{decision}', description: 'Decisions, by the action.' })
    this.#cost = meter.createCounter('bursar.cost', { unit: 'USD', description: 'What was settled.' })
    this.#checkSeconds = meter.createHistogram('bursar.check.duration', { unit: 's', description: 'How long checks take.', advice: { explicitBucketBoundaries: SECOND_BUCKETS } })
    this.#tokens = meter.createHistogram('gen_ai.client.token.usage', { unit: '{token}', description: 'Number of input and output tokens used.', advice: { explicitBucketBoundaries: TOKEN_BUCKETS } })
  }

  check(asked: CheckAsked): Watch<Decision, CheckedCall> {
    const startedAt = steadyClock()
    const { model, provider, sessionId, maxOutputTokens, tenant, userId } = asked
    const span = this.#begin('bursar.check', {
      ...(model !== undefined && { 'gen_ai.request.model': model }),
      ...(provider !== undefined && { 'gen_ai.provider.name': provider }),
      ...(sessionId !== undefined && { 'gen_ai.conversation.id': sessionId }),
      ...(maxOutputTokens !== undefined && { 'gen_ai.request.max_tokens': maxOutputTokens }),
      ...(tenant !== undefined && { 'bursar.tenant': tenant }),
      ...(userId !== undefined && this.#userIds && { 'user.id': userId }),
    })
    const took = (result: Attributes): void => this.#checkSeconds.record((steadyClock() - startedAt) / 1_000, result)
    return {
      within: (run) => within(span, run),
      ended: (decision, call) => {
        const tier = call?.tier
        if (span.isRecording()) span.setAttributes({ ...decisionAttributes(decision), ...(tier !== undefined && { 'bursar.tier': tier }) })
        span.end()
        const known = { 'bursar.action': decision.action, 'bursar.tier': this.#tiers.of(tier), ...(!decision.allowed && { 'bursar.denial.code': decision.code }) }
        this.#decisions.add(1, known)
        took({ 'bursar.action': decision.action })
      },
      failed: (error) => {
        const code = fail(span, error, userId)
        took({ 'error.type': code })
      },
    }
  }

  settle({ id }: EndingAsked): Watch<Settlement, SettledCall> {
    const span = this.#begin('bursar.settle', { 'bursar.decision.id': id })
    return {
      within: (run) => within(span, run),
      ended: (settlement, call) => {
        if (span.isRecording()) span.setAttributes(this.#settledAttributes(settlement, call))
        span.end()
        if (!settlement.replayed) this.#measure(settlement, call)
      },
      failed: (error) => void fail(span, error),
    }
  }

  release({ id }: EndingAsked): Watch<void> {
    const span = this.#begin('bursar.release', { 'bursar.decision.id': id })
    return { within: (run) => within(span, run), ended: () => span.end(), failed: (error) => void fail(span, error) }
  }

  #begin(name: string, attributes: Attributes): Span {
    return this.#tracer.startSpan(name, { kind: SpanKind.INTERNAL, attributes }, context.active())
  }

  #settledAttributes({ cost, overage, replayed, queued }: Settlement, call: SettledCall | undefined): Attributes {
    return {
      'bursar.cost.settled_usd': cost,
      'bursar.cost.overage_usd': overage,
      'bursar.replayed': replayed,
      ...(queued === true && { 'bursar.queued': true }),
      ...(call !== undefined && callAttributes(call)),
      ...(call !== undefined && this.#userIds && { 'user.id': call.user.userId }),
    }
  }

  #measure({ cost }: Settlement, call: SettledCall | undefined): void {
    this.#cost.add(cost, { 'bursar.tier': this.#tiers.of(call?.tier) })
    if (call === undefined || this.#operationName === null) return
    const { inputTokens, outputTokens } = call.usage
    const attributes = {
      'gen_ai.operation.name': this.#operationName,
      'gen_ai.provider.name': this.#providerOf(call),
      'gen_ai.request.model': this.#modelOf(call.requestedModel, call.provider),
      'gen_ai.response.model': this.#modelOf(call.model, call.provider),
    }
    if (inputTokens !== undefined) this.#tokens.record(inputTokens, { ...attributes, 'gen_ai.token.type': 'input' })
    if (outputTokens !== undefined) this.#tokens.record(outputTokens, { ...attributes, 'gen_ai.token.type': 'output' })
  }

  /** Clients name models: only those that have a price stand in metrics. */
  #modelOf(model: string | undefined, provider: string | undefined): string {
    return model === undefined || !this.#isPriced(model, provider) ? OTHER : this.#models.of(model)
  }

  #providerOf({ model, provider }: SettledCall): string {
    return model === undefined || provider === undefined || !this.#isPriced(model, provider) ? OTHER : this.#providers.of(provider)
  }

  #isPriced(model: string, provider: string | undefined): boolean {
    return this.#bursar.prices?.find({ model, provider, at: this.#bursar.tracker.clock() }) !== undefined
  }
}

function within<Result>(span: Span, run: () => Promise<Result>): Promise<Result> {
  return context.with(trace.setSpan(context.active(), span), run)
}

function decisionAttributes(decision: Decision): Attributes {
  const { id, action, replayed, enforcedBy } = decision
  const known: Attributes = { 'bursar.decision.id': id, 'bursar.action': action, 'bursar.replayed': replayed, 'bursar.enforced_by': enforcedBy, 'bursar.cost.estimated_usd': decision.allowed ? decision.estimatedCost : (decision.rungs[0]?.estimatedCost ?? 0) }
  if (!decision.allowed) return { ...known, ...denialAttributes(decision) }
  return decision.model === undefined ? known : { ...known, 'bursar.model': decision.model }
}

/** Which window refuses. Whose it is, where it is a user's or a session's, the attribute for users says. */
function denialAttributes(decision: DeniedDecision): Attributes {
  const { code, scope, window, unit, limit, used } = decision.toDenial()
  return {
    'bursar.denial.code': code,
    ...(scope !== undefined && { 'bursar.denial.scope.kind': scope.kind }),
    ...(scope !== undefined && (scope.kind === 'tenant' || scope.kind === 'tier') && { 'bursar.denial.scope.id': scope.id }),
    ...(window !== undefined && { 'bursar.denial.window': window }),
    ...(unit !== undefined && { 'bursar.denial.unit': unit }),
    ...(typeof limit === 'number' && { 'bursar.denial.limit': limit }),
    ...(typeof used === 'number' && { 'bursar.denial.used': used }),
  }
}

function callAttributes({ user, tier, sessionId, requestedModel, answeredModel, provider, usage }: SettledCall): Attributes {
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens } = usage
  return {
    ...(tier !== undefined && { 'bursar.tier': tier }),
    ...(user.tenant !== undefined && { 'bursar.tenant': user.tenant }),
    ...(sessionId !== undefined && { 'gen_ai.conversation.id': sessionId }),
    ...(requestedModel !== undefined && { 'gen_ai.request.model': requestedModel }),
    ...(answeredModel !== undefined && { 'gen_ai.response.model': answeredModel }),
    ...(provider !== undefined && { 'gen_ai.provider.name': provider }),
    ...(inputTokens !== undefined && { 'gen_ai.usage.input_tokens': inputTokens }),
    ...(outputTokens !== undefined && { 'gen_ai.usage.output_tokens': outputTokens }),
    ...(cachedInputTokens !== undefined && { 'gen_ai.usage.cache_read.input_tokens': cachedInputTokens }),
    ...(cacheWriteTokens !== undefined && { 'gen_ai.usage.cache_creation.input_tokens': cacheWriteTokens }),
    ...(reasoningTokens !== undefined && { 'gen_ai.usage.reasoning.output_tokens': reasoningTokens }),
  }
}

/** Ends a span as failed, and gives the code. A message that names the user says its code instead. */
function fail(span: Span, error: unknown, userId?: string): string {
  const code = isBursarError(error) ? error.code : error instanceof Error ? error.name : 'unknown'
  const message = error instanceof Error ? error.message : String(error)
  const told = userId !== undefined && message.includes(userId) ? code : message
  span.recordException({ name: error instanceof Error ? error.name : 'Error', code, message: told })
  span.setAttribute('error.type', code)
  span.setStatus({ code: SpanStatusCode.ERROR, message: told })
  span.end()
  return code
}
