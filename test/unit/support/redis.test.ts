// What the fault tests rely on: lines that lose what they are told to lose, and servers that do not outlive the tests.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Framing, isPush, wordsOf } from '../../support/redis/framing.js'
import { monitorCommands, startRedis, tcpProxy, until, type RedisServer, type TcpProxy } from '../../support/redis/index.js'

describe('framing', () => {
  const messages = [
    '+OK\r\n',
    '-ERR no\r\n',
    ':42\r\n',
    '_\r\n',
    ',3.14\r\n',
    '#t\r\n',
    '$-1\r\n',
    '*-1\r\n',
    '$0\r\n\r\n',
    '$6\r\na\r\nb\r\n\r\n',
    '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n\r\n\r\n',
    '*2\r\n*1\r\n:1\r\n%1\r\n+a\r\n~2\r\n:1\r\n:2\r\n',
    '>2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n',
    '=8\r\ntxt:text\r\n',
    '|1\r\n+ttl\r\n:5\r\n$1\r\nx\r\n',
  ]

  it('finds where each message ends, wherever the bytes are cut', () => {
    const all = Buffer.from(messages.join(''))
    for (const size of [1, 2, 3, 7, all.length]) {
      const framing = new Framing()
      const found: string[] = []
      for (let at = 0; at < all.length; at += size) found.push(...framing.push(all.subarray(at, at + size)).map(String))
      expect(found, `${size} bytes at once`).toEqual(messages)
    }
  })

  it('reads the words of a command, and knows what was not asked for', () => {
    expect(wordsOf(Buffer.from('*3\r\n$7\r\nevalsha\r\n$2\r\n\r\n\r\n$0\r\n\r\n'))).toEqual(['evalsha', '\r\n', ''])
    expect(messages.filter((message) => isPush(Buffer.from(message)))).toHaveLength(1)
  })
})

describe('a line that can fail', () => {
  let redis: RedisServer
  let proxy: TcpProxy
  let client: Redis
  const isIncrement = ([name]: readonly string[]): boolean => name === 'incr'
  beforeAll(async () => void (redis = await startRedis()))
  afterAll(() => redis.stop())
  beforeEach(async () => {
    proxy = await tcpProxy(redis)
    client = new Redis(proxy.port, '127.0.0.1', { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, retryStrategy: () => 10 })
    client.on('error', () => {})
    await redis.client().flushall()
    await client.ping()
  })
  afterEach(async () => {
    client.disconnect()
    await proxy.stop()
  })

  it('loses one reply, and the server has done what it was asked', async () => {
    const lost = proxy.loseReply(isIncrement)
    await expect(client.incr('a')).rejects.toThrow()
    expect(await lost).toEqual(['incr', 'a'])
    expect(await redis.client().get('a')).toBe('1')
    await until('the client is back', async () => (await client.incr('a')) === 2)
  })

  it('falls silent instead where it is told to', async () => {
    const lost = proxy.loseReply(isIncrement, 'silence')
    const answers: string[] = []
    const asked = client.incr('a').then(() => answers.push('first'), () => answers.push('lost'))
    const next = client.get('a').then(() => answers.push('second'), () => answers.push('lost'))
    await lost
    await until('the second command has been carried out too', async () => (await redis.client().info('commandstats')).includes('cmdstat_get'))
    expect(answers).toEqual([])
    proxy.cut()
    await Promise.all([asked, next])
    expect(answers).toEqual(['lost', 'lost'])
  })

  it('holds what is said on it, and passes it on in order', async () => {
    proxy.hold()
    const answers = [client.incr('a'), client.incr('a')]
    await until('both are on the line', () => proxy.commands.filter(isIncrement).length === 2)
    expect(await redis.client().exists('a')).toBe(0)
    proxy.pass()
    expect(await Promise.all(answers)).toEqual([1, 2])
  })

  it('lets nobody in while it refuses', async () => {
    proxy.refuse()
    await expect(client.incr('a')).rejects.toThrow()
    expect(proxy.connections.size).toBe(0)
    proxy.pass()
    await until('the client is back', async () => (await client.incr('a')) === 1)
  })

  it('has its commands counted by the server, without what scripts call', async () => {
    const { counts, commands } = await monitorCommands(redis.url, async () => {
      await client.eval("return redis.call('INCR', 'a')", 0)
      await client.get('a')
    })
    expect(counts).toEqual({ eval: 1, get: 1 })
    expect(commands[1]).toEqual(['get', 'a'])
  })
})

describe('a server', () => {
  it('keeps what it is told to keep when it is killed, and its port', async () => {
    for (const [appendOnly, kept] of [['always', '1'], [undefined, null]] as const) {
      const redis = await startRedis(appendOnly === undefined ? {} : { appendOnly })
      try {
        const { port, pid } = redis
        await redis.client().set('a', '1')
        await redis.restart()
        expect([redis.port, redis.pid === pid]).toEqual([port, false])
        expect(await redis.client().get('a')).toBe(kept)
        await redis.restart({ keepData: false })
        expect(await redis.client().get('a')).toBeNull()
      } finally {
        await redis.stop()
      }
    }
  })

  it('does not outlive the process that started it', async () => {
    const server = new URL('../../support/redis/server.ts', import.meta.url).href
    const script = `const { startRedis } = await import(${JSON.stringify(server)}); const redis = await startRedis(); console.log(redis.pid); setInterval(() => {}, 1e6)`
    const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
    expect(isAlive(Number(line))).toBe(true)
    parent.kill('SIGKILL')
    await until('the server is gone', () => !isAlive(Number(line)))
  })

  it('says what it complained of when it does not start', async () => {
    await expect(startRedis({ config: { 'no-such-directive': 'yes' } })).rejects.toThrow(/no-such-directive/)
  })
})

/** A process that is dead and that nobody has waited for has no command line any more. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync(`/proc/${pid}/cmdline`) || readFileSync(`/proc/${pid}/cmdline`).length > 0
  } catch {
    return false
  }
}
