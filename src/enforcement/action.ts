// The four answers, and their order. Order of severity is the only way in which answers combine (DESIGN 3.1).

/**
 * What a policy, and in the end a decision, says of a request: let it pass, let it pass and say so, let it pass on a cheaper
 * model, or refuse it.
 */
export const EnforcementAction = { ALLOW: 'ALLOW', WARN: 'WARN', DEGRADE: 'DEGRADE', BLOCK: 'BLOCK' } as const

/** One of `'ALLOW'`, `'WARN'`, `'DEGRADE'`, `'BLOCK'`. */
export type EnforcementAction = (typeof EnforcementAction)[keyof typeof EnforcementAction]

const SEVERITY: Readonly<Record<EnforcementAction, number>> = { ALLOW: 0, WARN: 1, DEGRADE: 2, BLOCK: 3 }

/** True for one of the four actions: what a policy returns is checked with it before it counts. */
export function isEnforcementAction(value: unknown): value is EnforcementAction {
  return typeof value === 'string' && Object.hasOwn(SEVERITY, value)
}

/** The more severe of two actions: ALLOW < WARN < DEGRADE < BLOCK. */
export function mostSevere(a: EnforcementAction, b: EnforcementAction): EnforcementAction {
  return SEVERITY[b] > SEVERITY[a] ? b : a
}
