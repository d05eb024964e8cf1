// bursar/openai: the clients of the SDK that open connections of their own are not made of a client under a budget.

import OpenAI, { AzureOpenAI } from 'openai'
import { OpenAIRealtimeWebSocket as BetaRealtime } from 'openai/beta/realtime/websocket'
import { OpenAIRealtimeWebSocket } from 'openai/realtime/websocket'
import { ResponsesWSBase } from 'openai/resources/responses/ws-base'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { withBudget, type WithBudgetOptions } from '../../../src/integrations/openai.js'
import { json, startProvider, type Provider } from '../../support/integrations/provider.js'
import { COMPLETION_COST, completion } from './openai-replies.js'
import { engine, errorOf, moneyOf } from './setting.js'

const opened: string[] = []

/** What the platforms' own classes are, as far as the SDK's own base goes: it asks for a socket with the headers of the client. */
class ResponsesWS extends ResponsesWSBase<never> {
  constructor(client: OpenAI) {
    super(client)
    this._connectInitial()
  }
  protected override _createSocket(url: URL, headers: Record<string, string>): never {
    opened.push(`${url.pathname} ${headers['Authorization']}`)
    return { on() {} } as never
  }
}

class FakeWebSocket {
  constructor(url: string, protocols: readonly string[]) {
    opened.push(`${new URL(url).pathname} ${protocols.join(' ')}`)
  }
  addEventListener(): void {}
}

let provider: Provider
beforeEach(async () => {
  opened.length = 0
  vi.stubGlobal('WebSocket', FakeWebSocket)
  provider = await startProvider(json(completion()))
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await provider[Symbol.asyncDispose]()
})

function budgeted(options: WithBudgetOptions = {}, apiKey: string | (() => Promise<string>) = 'secret'): ReturnType<typeof engine> & { client: OpenAI } {
  const setting = engine()
  return { ...setting, client: withBudget(new OpenAI({ baseURL: provider.url, apiKey, maxRetries: 0, logLevel: 'off' }), setting.bursar, { userId: 'ada' }, options) }
}

const realtime = { model: 'gpt-realtime' }
const WAYS: readonly (readonly [string, (client: OpenAI) => unknown])[] = [
  ['responses', (client) => new ResponsesWS(client)],
  ['realtime', (client) => new OpenAIRealtimeWebSocket(realtime, client)],
  ['realtime, by create()', (client) => OpenAIRealtimeWebSocket.create(client, realtime)],
  ['realtime of the beta', (client) => new BetaRealtime(realtime, client)],
  ['realtime of the beta, by create()', (client) => BetaRealtime.create(client, realtime)],
]

describe('a WebSocket client of a client under a budget', () => {
  it.each(WAYS)('is not made for %s, and says what to do', async (_what, connect) => {
    const { client } = budgeted()
    for (const one of [client, client.withOptions({ timeout: 5 })]) {
      const error = await errorOf((async () => connect(one))())
      expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
      expect(error.message).toMatch(/^(apiKey|buildURL|_callApiKey): .*unmetered: 'allow'/)
    }
    expect(opened).toEqual([])
  })

  it.each(WAYS)('is made for %s where what is not metered is let through', async (_what, connect) => {
    await connect(budgeted({ unmetered: 'allow' }).client)
    expect(opened).toHaveLength(1)
    expect(opened[0]).toContain('secret')
  })

  it('is not made of a client of Azure either', async () => {
    const azure = new AzureOpenAI({ endpoint: provider.url, apiKey: 'secret', apiVersion: '2025-01-01', deployment: 'd' })
    const client = withBudget(azure, engine().bursar, { userId: 'ada' }, { provider: 'azure' })
    expect(await errorOf(OpenAIRealtimeWebSocket.azure(client))).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(opened).toEqual([])
  })
})

describe('a client under a budget that gives no keys out', () => {
  it('makes its calls as before, also with a key that is made for each', async () => {
    const { client, bursar } = budgeted({}, async () => 'made')
    await client.chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello' }], max_completion_tokens: 50 })
    await client.models.list()
    await client.get('/models')
    expect(provider.received.map(({ headers }) => headers.authorization)).toEqual(['Bearer made', 'Bearer made', 'Bearer made'])
    expect(await moneyOf(bursar)).toEqual({ spent: COMPLETION_COST, held: 0 })
  })

  it('is the client in everything else, and takes what is set on it', async () => {
    const { client } = budgeted()
    expect(client).toBeInstanceOf(OpenAI)
    expect([client.baseURL, client.maxRetries, client.constructor]).toEqual([provider.url, 0, OpenAI])
    client.apiKey = 'other'
    client.baseURL = `${provider.url}/v2`
    await client.models.list()
    expect(provider.received.map(({ path, headers }) => [path, headers.authorization])).toEqual([['/v2/models', 'Bearer other']])
  })
})

it('lets whoever goes through a client do so', async () => {
  const client = withBudget(new OpenAI({ baseURL: provider.url, apiKey: 'any' }), engine().bursar, { userId: 'ada' })
  expect(Object.keys({ ...client })).not.toContain('apiKey')
  expect(() => Object.entries(client)).not.toThrow()
  expect(() => Object.assign({}, client)).not.toThrow()
})
