// Real HTTP for what is delivered: a server for a test, and a client that hides nothing of what the socket does.

import { createServer, request as httpRequest, type Agent, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** What came back. */
export interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** How a body is sent: as a whole, or in chunks without its length. */
export type Send = (body: string, headers: Record<string, string>, sending?: 'whole' | 'chunked') => Promise<Answer>

/** A server for the length of a test. Gives its port. */
export async function listening(listener: RequestListener): Promise<number> {
  const server: Server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

/** Sends with a client that reads the answer while it is still sending; every error of the socket rejects. On a connection of its own, or on the agent's. */
export function sendTo(port: number, agent?: Agent): Send {
  return (body, headers, sending = 'whole') =>
    new Promise((resolve, reject) => {
      const bytes = Buffer.from(body)
      const length: IncomingHttpHeaders = sending === 'whole' ? { 'content-length': String(bytes.length) } : { 'transfer-encoding': 'chunked' }
      const sent = httpRequest({ host: '127.0.0.1', port, agent: agent ?? false, method: 'POST', path: '/', headers: { 'content-type': 'application/json; charset=utf-8', ...length, ...headers } })
      sent.on('error', reject)
      sent.on('response', (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => (text += part))
        response.on('error', reject)
        response.on('end', () => resolve({ status: response.statusCode ?? 0, type: String(response.headers['content-type']), text }))
      })
      for (let at = 0; at < bytes.length; at += 16_384) sent.write(bytes.subarray(at, at + 16_384))
      sent.end()
    })
}
