// The stand-in as a process of its own: `npx tsx examples/provider-stand-in/main.ts [--latency-ms 5] [--miscount <user>]`.
// Its first line of output says where it listens; it ends with Ctrl-C, or with the process that forked it.

import { parseArgs } from 'node:util'
import { startStandIn } from './server.js'

const { values } = parseArgs({ options: { 'latency-ms': { type: 'string', default: '5' }, miscount: { type: 'string' } } })
const standIn = await startStandIn({ latencyMs: Number(values['latency-ms']), miscounts: values.miscount })
console.log(`listening on ${standIn.url}`)

const stop = (): void => void standIn.close().then(() => process.exit(0))
process.once('SIGTERM', stop).once('SIGINT', stop).once('disconnect', stop)
