// OpenTelemetry for a process that may have it or not: attached where the application, or what node was started with, has registered an SDK.

import type { Bursar } from '../bursar.js'

/**
 * Attaches OpenTelemetry to an engine where `@opentelemetry/api` is installed and an SDK is registered (with `node --import`, before the
 * engine is made). Gives what takes it off; `undefined` where there is none. Never rejects.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export async function attachOpenTelemetry(bursar: Bursar<any, any>): Promise<(() => void) | undefined> {
  try {
    const api = await import('@opentelemetry/api')
    const tracers = api.trace.getTracerProvider()
    // The API's own provider stands for one that may be registered; without one it gives no tracer.
    const traces = !(tracers instanceof api.ProxyTracerProvider) || tracers.getDelegateTracer('bursar') !== undefined
    const measures = api.metrics.getMeterProvider().getMeter('bursar').constructor !== api.createNoopMeter().constructor
    if (!traces && !measures) return undefined
    const { openTelemetry } = await import('./opentelemetry.js')
    return openTelemetry(bursar)
  } catch {
    return undefined
  }
}
