// Who may scrape, and what a server says of itself.

import { describe, expect, it } from 'vitest'
import { Bursar, memoryStore, StoreUnavailableError } from '../../../src/index.js'
import { createMetrics } from '../../../src/server/metrics.js'
import { caller, OPERATOR, testApp } from '../../support/server/app.js'
import { storeWith } from '../setting.js'
import { namesIn, samplesIn } from '../telemetry/kit.js'

describe('GET /metrics', () => {
  it.each(['127.0.0.1', '::1', '10.0.0.7', undefined])('asks for a key, wherever the request comes from: %s', async (remoteAddress) => {
    const setting = testApp({ metrics: { answered: () => {}, exposition: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'x 1\n' }) } })
    const env = remoteAddress === undefined ? {} : { incoming: { socket: { remoteAddress } } }
    for (const headers of [{}, { authorization: 'Bearer x' }]) {
      const response = await setting.app.fetch(new Request('http://localhost:8787/metrics', { headers }), env as never)
      expect([response.status, response.headers.get('content-type')]).toEqual([401, 'application/problem+json'])
      expect(await response.text()).not.toContain('x 1')
    }
    const answer = await setting.ask(OPERATOR, 'GET', '/metrics')
    expect([answer.status, answer.text, answer.headers.get('content-type')]).toEqual([200, 'x 1\n', 'text/plain; version=0.0.4; charset=utf-8'])
    await setting.close()
  })

  it.each([
    ['an operator who reads', caller(['read']), 200],
    ['an operator', OPERATOR, 200],
    ['an operator who may only check', caller(['check']), 403],
    ['a tenant', caller(['admin'], 'acme'), 403],
    ['a user', caller(['read'], undefined, 'ann'), 403],
  ])('answers %s (%j) with %s', async (_who, as, status) => {
    const setting = testApp()
    expect((await setting.ask(as, 'GET', '/metrics')).status).toBe(status)
    await setting.close()
  })
})

describe('the metrics of a server', () => {
  it('count answers by route, method and status, and no path, however many there are', async () => {
    const metrics = createMetrics({ engine: new Bursar<string, string>({ tiers: { free: { daily: 1 } } } as never) })
    metrics.answered('/v1/holds/{id}/settle', 'POST', 200, 0.002)
    metrics.answered('/v1/holds/{id}/settle', 'POST', 200, 0.004)
    metrics.answered('/v1/holds/{id}/settle', 'POST', 404, 0.004)
    for (let index = 0; index < 1_000; index += 1) metrics.answered(`/odd/${index}`, `ODD${index}`, index, 0.001)
    const { contentType, text } = await metrics.exposition()
    const samples = samplesIn(text)
    expect(contentType).toContain('text/plain')
    expect(samples.get('bursar_http_requests_total{method="POST",route="/v1/holds/{id}/settle",status="200"}')).toBe(2)
    expect(samples.get('bursar_http_requests_total{method="POST",route="/v1/holds/{id}/settle",status="404"}')).toBe(1)
    expect(samples.get('bursar_http_request_duration_seconds_count{method="POST",route="/v1/holds/{id}/settle"}')).toBe(3)
    expect([...samples.keys()].filter((name) => name.startsWith('bursar_http_requests_total')).length).toBeLessThan(300)
    expect(text).not.toContain('ODD')
    expect([...namesIn(text)]).toEqual(expect.arrayContaining(['bursar_decisions_total', 'bursar_store_up', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds']))
    expect(text.endsWith('\n')).toBe(true)
  })

  it('name routes as the description does, and all that a page consists of by one name', async () => {
    const metrics = createMetrics({ engine: new Bursar<string, string>({ tiers: { free: { daily: 1 } } } as never) })
    const setting = testApp({ metrics })
    await setting.ask(OPERATOR, 'POST', '/v1/holds/no-such/settle', { cost: 1 })
    for (const build of ['a1b2', 'c3d4']) metrics.answered(`/assets/index-${build}.js`, 'GET', 200, 0.001)
    const samples = samplesIn((await metrics.exposition()).text)
    expect(samples.get('bursar_http_requests_total{method="POST",route="/v1/holds/{id}/settle",status="404"}')).toBe(1)
    expect(samples.get('bursar_http_requests_total{method="GET",route="/assets/*",status="200"}')).toBe(2)
    await setting.close()
  })

  it('say whether the store answers', async () => {
    let isAway = false
    const store = memoryStore()
    const get: typeof store.directory.get = (user) => {
      if (isAway) throw new StoreUnavailableError('away', { asked: false })
      return store.directory.get(user)
    }
    const engine = new Bursar<string, string>({ tiers: { free: { daily: 1 } }, defaultTier: 'free', store: storeWith(store, { directory: { ...store.directory, get, change: store.directory.change.bind(store.directory) } }) } as never)
    const metrics = createMetrics({ engine })
    const up = async (): Promise<number | undefined> => samplesIn((await metrics.exposition()).text).get('bursar_store_up')
    expect(await up()).toBe(1)
    isAway = true
    expect(await up()).toBe(0)
    isAway = false
    expect(await up()).toBe(1)
  })

  it('are apart for two servers of one process, but for those of the process', async () => {
    const [one, two] = [0, 1].map(() => createMetrics({ engine: new Bursar<string, string>({ tiers: { free: { daily: 1 } } } as never), topTenants: 5 }))
    one?.answered('/health', 'GET', 200, 0.001)
    expect((await two?.exposition())?.text).not.toContain('/health')
  })
})
