// Who watches checks and endings from outside: each is told when one begins, may run it in a context of its own, and is told how it ended.
// Decides nothing, and nothing that a telemetry does, or fails to do, changes what is decided.

import type { UserRef } from '../budget/index.js'
import { InvalidRequestError } from '../errors/index.js'
import type { Usd } from '../money/index.js'
import type { ChargeFacts } from '../store/index.js'
import { AllowedDecision, type Decided, type Decision, type Settlement } from './decision.js'
import type { Actual } from './outcome.js'
import type { CheckRequest } from './request.js'

/** What a check was asked for: as it was given, before anybody has looked whether it is right. */
export interface CheckAsked {
  readonly userId: string | undefined
  readonly tenant: string | undefined
  readonly sessionId: string | undefined
  readonly model: string | undefined
  readonly provider: string | undefined
  readonly estimatedCost: Usd | undefined
  readonly inputTokens: number | undefined
  readonly maxOutputTokens: number | undefined
}

/** Whose a decision is. */
export interface CheckedCall {
  readonly user: UserRef
  readonly tier: string | undefined
  readonly sessionId?: string | undefined
}

/** Which decision is ended or extended. */
export interface EndingAsked {
  readonly id: string
}

/** What was settled, beside the money: what the decision was made for, and what the call reported. */
export interface SettledCall extends CheckedCall {
  /** The model that the request named. */
  readonly requestedModel: string | undefined
  /** The model that answered, else the one that the decision named; `undefined` where this process knows neither. */
  readonly model: string | undefined
  /** The same model as its provider has named it, such as `gpt-4o-2024-08-06` where `gpt-4o` was asked for. */
  readonly answeredModel: string | undefined
  readonly provider: string | undefined
  /** Tokens by the fields of a `Usage`, as far as the call said; empty where it gave a cost alone. */
  readonly usage: Readonly<Record<string, number>>
}

/** One operation that is watched. What it throws or rejects with changes nothing. */
export interface Watch<Result, More = undefined> {
  /** Runs the operation where its watcher wants it to run, such as in the context of a span. Call `run` once, at once; its promise may be looked at. */
  within?(run: () => Promise<Result>): unknown
  /** It resolved. `more` is `undefined` where nothing is known beside the result. */
  ended?(result: Result, more: More | undefined): unknown
  /** It rejected. */
  failed?(error: unknown): unknown
}

/** Who watches an engine: see `Bursar.instrument`. Each method is called as an operation begins, and gives how its end is told. */
export interface Telemetry {
  /** A check, whoever makes it: `check`, `guard`, `stream`, a session or a wrapped client. A refusal is a result. */
  check?(asked: CheckAsked): Watch<Decision, CheckedCall> | undefined
  /** A settle, by a decision or by its id. */
  settle?(asked: EndingAsked): Watch<Settlement, SettledCall> | undefined
  release?(asked: EndingAsked): Watch<void> | undefined
  /** A hold that is extended: the result is its new end. */
  extend?(asked: EndingAsked): Watch<Date> | undefined
}

/** What a settle writes down on its way, for those who watch. */
export interface SettleNote {
  actual?: Actual
  /** The model as the outcome has named it. */
  answered?: string | undefined
  facts?: ChargeFacts
}

type Run<Result> = () => Promise<Result>

/** All telemetries of one engine. */
export class Instruments {
  /** False while there is none: then nobody pays for them. */
  isOn = false
  #telemetries: readonly { readonly telemetry: Telemetry }[] = []
  readonly #onFailed: (error: unknown) => void

  /** `onFailed` hears what a telemetry throws or rejects with. */
  constructor(onFailed: (error: unknown) => void) {
    this.#onFailed = onFailed
  }

  /** Adds one, and gives what takes it off again. */
  add(telemetry: Telemetry): () => void {
    // One object may be added twice: each is taken off by its own function.
    const own = { telemetry }
    this.#telemetries = [...this.#telemetries, own]
    this.isOn = true
    return () => {
      this.#telemetries = this.#telemetries.filter((other) => other !== own)
      this.isOn = this.#telemetries.length > 0
    }
  }

  /** Runs a check. `complete` says whose a request is that does not say so itself. */
  check(request: CheckRequest, complete: (request: CheckRequest) => CheckRequest, run: Run<Decision>): Promise<Decision> {
    const asked = askedOf(request, complete)
    return this.#watch<Decision, CheckedCall>((telemetry) => telemetry.check?.(asked), run, (decision) => AllowedDecision.factsOf(decision))
  }

  /** Runs a settle, which notes what it learns. */
  settle(id: string, decided: Decided | undefined, run: (note: SettleNote) => Promise<Settlement>): Promise<Settlement> {
    const note: SettleNote = {}
    return this.#watch<Settlement, SettledCall>((telemetry) => telemetry.settle?.({ id }), () => run(note), () => settledCall(note, decided))
  }

  release(id: string, run: Run<void>): Promise<void> {
    return this.#watch((telemetry) => telemetry.release?.({ id }), run, () => undefined)
  }

  extend(id: string, run: Run<Date>): Promise<Date> {
    return this.#watch((telemetry) => telemetry.extend?.({ id }), run, () => undefined)
  }

  #watch<Result, More = undefined>(begin: (telemetry: Telemetry) => Watch<Result, More> | undefined, run: Run<Result>, moreOf: (result: Result) => More | undefined): Promise<Result> {
    const watches: Watch<Result, More>[] = []
    for (const { telemetry } of this.#telemetries) {
      const watch = this.#ask(() => begin(telemetry))
      if (typeof watch === 'object' && watch !== null) watches.push(watch)
    }
    // Once, whatever those around it do: an operation that runs twice would hold twice.
    let running: Promise<Result> | undefined
    const once = (): Promise<Result> => (running ??= run())
    let outer = once
    for (const watch of watches) {
      if (typeof watch.within !== 'function') continue
      const inner = outer
      let isBegun = false
      outer = () => {
        if (!isBegun) {
          isBegun = true
          // A promise that it gives is the operation's own, whose end is told below.
          this.#ask(() => watch.within?.(inner), ignore)
        }
        return once()
      }
    }
    return outer().then(
      (result) => {
        let more: More | undefined
        this.#ask(() => {
          more = moreOf(result)
        })
        for (const watch of watches) this.#ask(() => watch.ended?.(result, more))
        return result
      },
      (error: unknown) => {
        for (const watch of watches) this.#ask(() => watch.failed?.(error))
        throw error
      },
    )
  }

  /** What a telemetry gives; nothing where it fails, now or later. */
  #ask<T>(fn: () => T, rejected = this.#onFailed): T | undefined {
    try {
      const given = fn()
      if (given instanceof Promise) {
        given.catch(rejected)
        return undefined
      }
      return given
    } catch (error) {
      this.#onFailed(error)
      return undefined
    }
  }
}

const METHODS = ['check', 'settle', 'release', 'extend'] as const

/** Throws `InvalidRequestError` for what watches nothing: nobody would notice. */
export function assertTelemetry(value: unknown): asserts value is Telemetry {
  const methods = typeof value === 'object' && value !== null ? METHODS.map((name) => (value as Record<string, unknown>)[name]).filter((method) => method !== undefined) : []
  if (methods.length > 0 && methods.every((method) => typeof method === 'function')) return
  throw new InvalidRequestError(`telemetry: is none. Give an object with at least one of the functions ${METHODS.join(', ')}.`)
}

function ignore(): void {}

function askedOf(request: CheckRequest, complete: (request: CheckRequest) => CheckRequest): CheckAsked {
  let whole: Partial<CheckRequest> = {}
  try {
    whole = { ...complete(request) }
  } catch {
    // What is wrong with it, the check says.
  }
  const { userId, tenant, sessionId, model, provider, estimatedCost, inputTokens, maxOutputTokens } = whole
  return { userId, tenant, sessionId, model, provider, estimatedCost, inputTokens, maxOutputTokens }
}

function settledCall({ actual, answered, facts }: SettleNote, decided: Decided | undefined): SettledCall | undefined {
  const known = facts ?? decided?.placement().facts
  if (known === undefined) return undefined
  const { user, tier, sessionId } = known
  const model = actual?.model ?? decided?.rung.model
  return {
    user,
    tier,
    sessionId,
    requestedModel: known.model,
    model,
    answeredModel: answered ?? model,
    provider: actual?.provider ?? known.provider,
    usage: actual?.details?.usage ?? {},
  }
}
