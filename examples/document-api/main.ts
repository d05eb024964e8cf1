// A service that summarises documents, each customer under a budget of its own: npx tsx examples/document-api/main.ts [file.db]
// It calls a stand-in on this machine. With a file, it goes on where it was stopped, however it was stopped.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startStandIn } from '../provider-stand-in/server.js'
import { startService } from './service.js'

const [file] = process.argv.slice(2)
const folder = file === undefined ? mkdtempSync(join(tmpdir(), 'document-api-')) : undefined
const port = Number(process.env['PORT'] ?? 0)
const standIn = await startStandIn({ latencyMs: Number(process.env['LATENCY_MS'] ?? 200) })
const service = await startService({ path: file ?? join(folder as string, 'document-api.db'), llmUrl: standIn.openaiUrl, port }).catch(cannotStart)

for (const { id, tier, key } of service.newCustomers) console.log(`${id} (${tier}) has the key ${key}`)
console.log(`listening on ${service.url}, the model is a stand-in`)
const [first] = service.newCustomers
if (first === undefined) console.log('its customers have the keys that were shown when the file was made')
if (first !== undefined) {
  const as = `-H 'Authorization: Bearer ${first.key}'`
  console.log(`
curl -X POST ${service.url}/analyze ${as} -H 'Content-Type: application/json' -d '{"document":"First part.\\n\\nSecond part."}'
curl ${service.url}/jobs/<jobId> ${as}
curl ${service.url}/budget ${as}`)
}

async function cannotStart(error: NodeJS.ErrnoException): Promise<never> {
  console.error(error.code === 'EADDRINUSE' ? `PORT: ${port} is in use. Stop what listens there, or give another one.` : `cannot start: ${error.message}`)
  await standIn.close()
  if (folder !== undefined) rmSync(folder, { recursive: true })
  process.exit(1)
}

async function stop(): Promise<void> {
  await service.close()
  await standIn.close()
  if (folder !== undefined) rmSync(folder, { recursive: true })
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop())
