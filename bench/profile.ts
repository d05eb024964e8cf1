// Runs bursar's check + settle alone and says where its time goes: `node --import tsx bench/profile.ts [--seconds 5] [--read]
// [--allocations] [--dist dir]`. The sampling starts after the warm-up and goes to .bench/bursar.cpuprofile. With --allocations
// it counts the bytes allocated in place of the time; with --plain nothing is sampled, for `node --cpu-prof` from outside.

import { mkdir, writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bursarContestant, bursarReadContestant, strideOver } from './contestants.js'
import { DEFAULT_BUILD, loadPackage, ROOT } from './package-under-test.js'
import { printAllocations, printProfile } from './read-profile.js'

const USERS = 100_000
const CHUNK = 10_000
const SAMPLE_EVERY_MICROSECONDS = 200
const SAMPLE_EVERY_BYTES = 4_096

const { values: options } = parseArgs({
  options: { seconds: { type: 'string', default: '5' }, read: { type: 'boolean' }, plain: { type: 'boolean' }, allocations: { type: 'boolean' }, dist: { type: 'string', default: DEFAULT_BUILD } },
})
const users = strideOver(Array.from({ length: USERS }, (_, index) => `user_${index}`))
const underTest = await loadPackage(options.dist)
const contestant = options.read === true ? bursarReadContestant('bursar', underTest, users) : bursarContestant('bursar', underTest, users)
await contestant.run(2 * USERS)

const session = new Session()
session.connect()
const sampled = options.plain === true ? 'nothing' : options.allocations === true ? 'bytes' : 'time'
if (sampled === 'bytes') {
  await session.post('HeapProfiler.startSampling', { samplingInterval: SAMPLE_EVERY_BYTES, includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true } as never)
}
if (sampled === 'time') {
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_MICROSECONDS })
  await session.post('Profiler.start')
}
const startedAt = performance.now()
const endsAt = startedAt + Number(options.seconds) * 1_000
let operations = 0
for (; performance.now() < endsAt; operations += CHUNK) await contestant.run(CHUNK)
const tookMs = performance.now() - startedAt
console.log(`${contestant.operation}: ${operations.toLocaleString('en')} in ${(tookMs / 1_000).toFixed(1)} s, ${((tookMs * 1_000) / operations).toFixed(2)} µs each${sampled === 'nothing' ? '' : ' (slower for being sampled)'}`)

if (sampled === 'bytes') {
  const { profile } = await session.post('HeapProfiler.stopSampling')
  printAllocations(profile, operations)
}
if (sampled === 'time') {
  const { profile } = await session.post('Profiler.stop')
  const path = join(ROOT, '.bench', 'bursar.cpuprofile')
  await mkdir(join(ROOT, '.bench'), { recursive: true })
  await writeFile(path, JSON.stringify(profile))
  console.log(`wrote ${path}`)
  printProfile(profile, operations)
}
session.disconnect()
