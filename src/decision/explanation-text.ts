// An explanation for people at a terminal: what was decided, then the sums behind it. Decides nothing.

import { describeScope, type ScopeId } from '../enforcement/index.js'
import { sessionOf } from '../budget/index.js'
import { describeAmount, formatUsd, type Unit } from '../money/index.js'
import type { ExplainedRung, ExplainedWindow, Explanation, Objection } from './explanation.js'

const ENFORCED_BY = {
  store: undefined,
  local: "the store was away: what this process could not give of its share counts as held (onStoreError: 'local')",
  none: 'the store was away or had lost its data: no window was read (onStoreError)',
}

/** The explanation in lines for a terminal, without colours. Control characters of an application's texts do not reach it. */
export function explainText(explanation: Explanation): string {
  const { decisionId, at, action, code, reason, enforcedBy, replayed, rungs, windows, verdicts, combine } = explanation
  const remarks = [ENFORCED_BY[enforcedBy], replayed ? 'a repeat: windows and rungs are those of the first request' : undefined, combine === 'first-match' ? "the first verdict that is not ALLOW counts (combine: 'first-match')" : undefined]
  const lines = [
    `${action}${code === undefined ? '' : ` (${code})`}  decision ${decisionId}  at ${at}`,
    `  ${reason}`,
    field('who', whoText(explanation)),
    field('model', modelText(explanation)),
    ...remarks.filter((remark) => remark !== undefined).map((remark) => field('note', remark)),
    ...listed('windows', windows.map((window) => windowText(window))),
    ...listed('rungs', rungs.map((rung, index) => rungText(rung, index, windows))),
    ...listed('verdicts', verdicts.map(({ policy, action: said, reason: why, scope }) => [`${policy} says ${said}${scope === undefined ? '' : ` for ${scopeText(scope)}`}${why === undefined ? '' : `: ${why}`}`])),
    ...listed('would fit', fittingText(explanation).map((line) => [line])),
  ]
  return lines.map(printable).join('\n')
}

function whoText({ who: { userId, tenant, tier, standing, sessionId, scopes = {} } }: Explanation): string {
  const named = [['tenant', tenant], ['tier', tier], ['standing', standing], ['session', sessionId], ...Object.entries(scopes)]
  return [`user ${userId}`, ...named.flatMap(([kind, id]) => (id === undefined ? [] : [`${kind} ${id}`]))].join(', ')
}

function modelText({ model: { requested, used, provider }, action }: Explanation): string {
  const asked = `${requested ?? 'none'} asked for`
  return `${asked}${action === 'BLOCK' ? '' : used === requested ? ', and used' : `, ${used ?? 'none'} used`}${provider === undefined ? '' : ` (${provider})`}`
}

function windowText({ scope, title, period, unit, exact, hit, arithmetic, resetsAt, ceilings }: ExplainedWindow): string[] {
  const { limit, spent, held, remaining } = exact
  const word = (amount: number): string => describeAmount(unit, amount)
  const figures = limit === null ? `no limit, ${word(spent)} spent, ${word(held)} held` : `limit ${word(limit)}, ${word(spent)} spent, ${word(held)} held, ${word(remaining as number)} remaining`
  const said = hit === null ? 'fits' : hit === 'block' ? 'refuses' : hit === 'degrade' ? 'asks for a cheaper model' : 'warns'
  const bounds = (['warn', 'degrade', 'block'] as const).flatMap((kind) => {
    const ceiling = ceilings[kind]
    return ceiling === null || limit === null || ceiling.exact.pre > limit ? [] : [`${kind} ${ceiling.exact.max === ceiling.exact.pre ? 'above' : 'from'} ${amountText(unit, ceiling.exact.pre)}`]
  })
  return [
    `${windowName({ scope, title, period })}: ${figures}${resetsAt === null ? '' : `, resets at ${resetsAt}`}`,
    ...(limit === null && hit === null ? [] : [`  ${said}: ${arithmetic.words}${bounds.length === 0 ? '' : `  [${bounds.join(', ')}]`}`]),
  ]
}

function rungText({ model, exact, priceVersion, result, against }: ExplainedRung, index: number, windows: readonly ExplainedWindow[]): string[] {
  const price = priceVersion === undefined ? '' : `, prices ${priceVersion}`
  return [`${index}. ${model ?? 'no model'}: ${describeAmount('usd', exact.microcents)}, ${exact.tokens} tokens${price}: ${result}`, ...against.map((each) => `  ${objectionText(each, windows)}`)]
}

function objectionText(objection: Objection, windows: readonly ExplainedWindow[]): string {
  if ('policy' in objection) return `${objection.policy} says ${objection.action}${objection.reason === undefined ? '' : `: ${objection.reason}`}`
  return `${windowName(windows[objection.window] as ExplainedWindow)} ${objection.threshold === 'block' ? 'refuses it' : 'asks for a cheaper one'}: ${objection.arithmetic.words}`
}

function fittingText({ fitting: { largestFittingCost, largestFittingOutput, retryAfterMs, exact }, action, at }: Explanation): string[] {
  const lines: string[] = []
  const now = action === 'BLOCK' ? 'now' : 'without a cheaper model'
  if (largestFittingCost !== undefined) lines.push(exact?.largestFittingMicrocents == null ? `no estimate ${now}` : `an estimate of at most $${formatUsd(exact.largestFittingMicrocents)} ${now}`)
  if (largestFittingOutput != null) lines.push(`at most ${largestFittingOutput.maxOutputTokens} output tokens on ${largestFittingOutput.model} ${now}`)
  if (retryAfterMs !== undefined) lines.push(retryAfterMs === null ? 'the same request: never' : `the same request: at ${new Date(Date.parse(at) + retryAfterMs).toISOString()}, if nothing else changes`)
  return lines
}

function windowName({ scope, title, period }: { readonly scope: ScopeId; readonly title?: string | undefined; readonly period: string }): string {
  return `${period} of ${title ?? scopeText(scope)}`
}

function scopeText(scope: ScopeId): string {
  const session = sessionOf(scope)
  return session === undefined ? describeScope(scope) : `session ${session.sessionId}`
}

function amountText(unit: Unit, amount: number): string {
  return unit === 'usd' ? formatUsd(amount) : String(amount)
}

function field(name: string, text: string): string {
  return `${name.padEnd(8)}${text}`
}

function listed(name: string, items: readonly (readonly string[])[]): string[] {
  return items.length === 0 ? [] : [name, ...items.flatMap((lines) => lines.map((line) => `  ${line}`))]
}

/** What would move a terminal's cursor, colour it or turn its text around stands as a dot. */
function printable(line: string): string {
  return line.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '·')
}
