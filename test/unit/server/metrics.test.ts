// Who may scrape, and what a server says of itself.

import { describe, expect, it } from 'vitest'
import { Bursar, memoryStore, StoreUnavailableError } from '../../../src/index.js'
import { createMetrics } from '../../../src/server/metrics.js'
import { caller, OPERATOR, testApp } from '../../support/server/app.js'
import { storeWith } from '../setting.js'
import { namesIn, samplesIn } from '../telemetry/kit.js'

/** Asks as a connection from that address. */
async function scrape(remoteAddress: string | undefined, headers: Readonly<Record<string, string>> = {}, host = 'localhost:8787'): Promise<{ readonly status: number; readonly text: string; readonly type: string | null }> {
  const setting = testApp({ metrics: { answered: () => {}, exposition: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'x 1\n' }) } })
  const env = remoteAddress === undefined ? {} : { incoming: { socket: { remoteAddress } } }
  const response = await setting.app.fetch(new Request(`http://${host}/metrics`, { headers: { host, ...headers } }), env as never)
  const answer = { status: response.status, text: await response.text(), type: response.headers.get('content-type') }
  await setting.close()
  return answer
}

describe('GET /metrics', () => {
  it.each(['127.0.0.1', '::1', '::ffff:127.0.0.1', '127.8.8.8'])('answers this machine without a key: %s', async (address) => {
    expect(await scrape(address)).toEqual({ status: 200, text: 'x 1\n', type: 'text/plain; version=0.0.4; charset=utf-8' })
  })

  it.each([
    ['another machine', '10.0.0.7', {}, undefined],
    ['a machine whose address begins so', '127.0.0.1.example', {}, undefined],
    ['a connection that is not known', undefined, {}, undefined],
    ['a proxy on this machine', '127.0.0.1', { 'x-forwarded-for': '10.0.0.7' }, undefined],
    ['a proxy that says so otherwise', '127.0.0.1', { forwarded: 'for=10.0.0.7' }, undefined],
    ['a page that has turned its own name to this machine', '127.0.0.1', {}, 'evil.example'],
    ['a key that is none', '10.0.0.7', { authorization: 'Bearer x' }, undefined],
  ])('asks %s for a key', async (_who, address, headers, host) => {
    const { status, text, type } = await scrape(address, headers as Record<string, string>, host)
    expect({ status, type }).toEqual({ status: 401, type: 'application/problem+json' })
    expect(text).not.toContain('x 1')
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
