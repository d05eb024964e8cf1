// Whoever may make an endpoint must not reach through this server what stands in its network.

import { describe, expect, it } from 'vitest'
import { isPublic, publicLookup, type Resolve } from '../../../../src/server/webhooks/addresses.js'
import { webhookStage } from './stage.js'

const PRIVATE = [
  '0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1', '172.31.255.255', '192.0.0.1', '192.168.1.1', '198.18.0.1', '224.0.0.1', '255.255.255.255',
  '::', '::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', 'fc00::1', 'fd12:3456::1', 'fe80::1', 'fe80::1%lo', 'fec0::1', 'ff02::1', '64:ff9b::7f00:1', '2002:7f00:1::', '2001::1', '2001:db8::1', '100::1',
  '', 'localhost', '127.1', '1.2.3', 'x',
] // prettier-ignore
const PUBLIC = ['1.1.1.1', '8.8.8.8', '11.0.0.1', '100.63.255.255', '126.0.0.1', '172.15.0.1', '172.32.0.1', '168.63.129.15', '168.63.129.17', '192.31.197.1', '192.167.0.1', '223.255.255.254', '2606:4700:4700::1111', '2a00:1450:4001:82a::200e', '2001:4860:4860::8888']
/** As a URL writes them, also in ways that only a URL knows. */
const LITERALS = ['127.0.0.1', '127.1', '2130706433', '0x7f.1', '0177.0.0.1', '10.1.2.3', '169.254.169.254', '192.168.0.1', '[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[fc00::1]', '[fe80::1]', '0', 'localhost', 'LOCALHOST', 'localhost.', 'a.localhost']

const answering = (...addresses: string[]): Resolve => (_name, _options, callback) => callback(null, addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })))

function lookedUp(resolve: Resolve, all: boolean): Promise<unknown> {
  return new Promise((found, failed) => {
    publicLookup(resolve)('example.com', { all }, (error, address, family) => (error === null ? found(family === undefined ? address : { address, family }) : failed(error)))
  })
}

describe('an address', () => {
  it.each(PRIVATE)('%s is not of the public internet', (address) => expect(isPublic(address)).toBe(false))
  it.each(PUBLIC)('%s is', (address) => expect(isPublic(address)).toBe(true))

  it('that a name leads to is used, where all of them are public', async () => {
    expect(await lookedUp(answering('8.8.8.8', '1.1.1.1'), false)).toEqual({ address: '8.8.8.8', family: 4 })
    expect(await lookedUp(answering('8.8.8.8', '2606:4700:4700::1111'), true)).toEqual([{ address: '8.8.8.8', family: 4 }, { address: '2606:4700:4700::1111', family: 6 }])
    for (const all of [true, false]) {
      for (const addresses of [['127.0.0.1'], ['8.8.8.8', '10.0.0.1'], ['::1', '8.8.8.8'], []]) await expect(lookedUp(answering(...addresses), all)).rejects.toThrow('public internet')
    }
    const failing: Resolve = (_name, _options, callback) => callback(Object.assign(new Error('none'), { code: 'ENOTFOUND' }), [])
    await expect(lookedUp(failing, true)).rejects.toMatchObject({ code: 'ENOTFOUND' })
  })
})

describe('a webhook, where private addresses are not allowed', () => {
  it.each(LITERALS)('is not made for http://%s', async (host) => {
    const webhooks = (await webhookStage()).open({ allowPrivate: false })
    for (const url of [`http://${host}/`, `https://${host}:8443/x`]) await expect(webhooks.createEndpoint({ url })).rejects.toThrow(/^url: is an address of this machine or a private network/)
  })

  it('is not sent to a name that leads to one, whatever else it leads to', async () => {
    const { open, receiver } = await webhookStage()
    const { port } = new URL(receiver.url)
    for (const addresses of [['127.0.0.1'], ['8.8.8.8', '127.0.0.1'], ['::1']]) {
      const webhooks = open({ allowPrivate: false, resolve: answering(...addresses) })
      const { endpoint } = await webhooks.createEndpoint({ url: `http://hooks.example.com:${port}/` })
      await webhooks.test(endpoint.id)
      await webhooks.tick()
      expect(await webhooks.deliveries(endpoint.id)).toMatchObject([{ state: 'pending', attempts: 1, error: 'the address is not an address of the public internet' }])
      await webhooks.remove(endpoint.id)
    }
    expect(receiver.received).toEqual([])
  })

  it('is not sent to one that was allowed when its endpoint was made', async () => {
    const { open, receiver } = await webhookStage()
    const { endpoint } = await open().createEndpoint({ url: receiver.url })
    const webhooks = open({ allowPrivate: false })
    await webhooks.test(endpoint.id)
    await webhooks.tick()
    expect(receiver.received).toEqual([])
    expect(await webhooks.deliveries(endpoint.id)).toMatchObject([{ error: 'the address is not an address of the public internet' }])
  })

  it('is looked up when it is connected to, and not before: what a name led to once does not count', async () => {
    const { open, receiver } = await webhookStage()
    const { port } = new URL(receiver.url)
    const answers = ['8.8.8.8', '127.0.0.1']
    const asked: string[] = []
    const resolve: Resolve = (name, ...given) => (asked.push(name), answering(answers[asked.length] as string)(name, ...given))
    const webhooks = open({ allowPrivate: false, resolve })
    const { endpoint } = await webhooks.createEndpoint({ url: `http://hooks.example.com:${port}/` })
    expect(asked).toEqual([])
    await webhooks.test(endpoint.id)
    await webhooks.tick()
    expect(asked).toEqual(['hooks.example.com'])
    expect(receiver.received).toEqual([])
  })
})
