// What a server measures: its engine, the requests that it answers, whether its store answers, and its own process. As text for Prometheus.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { BoundedLabels } from '../telemetry/bounded-labels.js'
import { prometheusMetrics } from '../telemetry/prometheus.js'
import type { Engine, ServerMetrics } from './service.js'

/** What {@link createMetrics} measures. */
export interface MetricsOptions {
  readonly engine: Engine
  /** How many tenants have a label of their own. Default 20. */
  readonly topTenants?: number | undefined
}

const HTTP_SECONDS = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
/** More routes than there are. */
const MOST_ROUTES = 200
const MOST_STATUSES = 60
/** Any user will do to ask whether the store answers. */
const NOBODY = 'nobody'

/** Those of the process: one set, however many servers it has. */
let processRegistry: Registry | undefined

/** Measures a server and its engine. Throws `InvalidConfigError` for options that cannot work. */
export function createMetrics({ engine, topTenants }: MetricsOptions): ServerMetrics {
  const { registry } = prometheusMetrics(engine, topTenants === undefined ? {} : { topTenants })
  const registers = [registry]
  const requests = new Counter({ name: 'bursar_http_requests_total', help: 'Requests that were answered, by the pattern of their route.', labelNames: ['method', 'route', 'status'], registers })
  const seconds = new Histogram({ name: 'bursar_http_request_duration_seconds', help: 'How long answers take.', labelNames: ['method', 'route'], buckets: HTTP_SECONDS, registers })
  const up: Gauge = new Gauge({ name: 'bursar_store_up', help: '1 if the store has answered while this was scraped, else 0.', registers, collect: async () => up.set(await answers(engine)) })
  const methods = new BoundedLabels(METHODS, 0)
  const routes = new BoundedLabels([], MOST_ROUTES)
  const statuses = new BoundedLabels([], MOST_STATUSES)
  return {
    answered(route, method, status, took) {
      const labels = { method: methods.of(method), route: routes.of(labelOf(route)) }
      requests.inc({ ...labels, status: statuses.of(String(status)) })
      seconds.observe(labels, took)
    },
    async exposition() {
      const texts = await Promise.all([registry, processMetrics()].map((one) => one.metrics()))
      return { contentType: registry.contentType, text: `${texts.map((text) => text.trimEnd()).join('\n')}\n` }
    },
  }
}

/** The pattern as the description writes it. What a page consists of has another name with each build: one label is enough for all of it. */
function labelOf(route: string): string {
  return route.startsWith('/assets/') ? '/assets/*' : route.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}')
}

function processMetrics(): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry()
    collectDefaultMetrics({ register: processRegistry })
  }
  return processRegistry
}

async function answers(engine: Engine): Promise<0 | 1> {
  try {
    await engine.tracker.getUserTier(NOBODY)
    return 1
  } catch {
    return 0
  }
}
