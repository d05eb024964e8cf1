// The dashboard of Grafana as its questions: every expression of every panel.

/** Part of a dashboard. */
interface Panel {
  readonly id: number
  readonly type: string
  readonly title?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[]
  readonly panels?: readonly Panel[]
}

/** A dashboard, as far as tests read it. */
export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly panels: readonly Panel[]
}

/** Words of PromQL that are no metrics. */
const WORDS = new Set(['sum', 'min', 'max', 'avg', 'count', 'topk', 'by', 'rate', 'increase', 'histogram_quantile', 'vector', 'or', 'and', 'unless', 'without', 'on', 'ignoring'])

/** All panels, also those in rows. */
export function panelsOf({ panels }: Pick<Dashboard, 'panels'>): Panel[] {
  return panels.flatMap((panel) => [panel, ...panelsOf({ panels: panel.panels ?? [] })])
}

/** All expressions in PromQL. */
export function expressionsOf(dashboard: Dashboard): string[] {
  return panelsOf(dashboard).flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
}

/** The names of metrics in an expression: what is neither a word, nor a label, nor Grafana's. */
export function metricsIn(expression: string): string[] {
  const bare = expression
    .replace(/\{[^}]*\}/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ')
    .replace(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, ' ')
  return [...bare.matchAll(/[a-zA-Z_:][a-zA-Z0-9_:]*/g)].map(([name]) => name).filter((name) => !WORDS.has(name))
}

/** The expression with lengths of time in the place of Grafana's variables. */
export function withTimes(expression: string): string {
  return expression.replaceAll('$__rate_interval', '1m').replaceAll('$__range', '1h')
}
