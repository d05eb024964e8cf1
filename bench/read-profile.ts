// Reads a .cpuprofile and prints self time by room, by function and by line: `node --import tsx bench/read-profile.ts <file>`.
// A room is a folder of src/, a dependency, or the engine itself.

import { readFile } from 'node:fs/promises'
import type { HeapProfiler, Profiler, Runtime } from 'node:inspector'
import { pathToFileURL } from 'node:url'
import { printTable } from './table.js'

const SHOWN_FUNCTIONS = 40
const SHOWN_LINES = 25

/** Prints the tables of one profile. With `operations`, also the time of each in nanoseconds. */
export function printProfile(profile: Profiler.Profile, operations?: number): void {
  const rooms = new Map<string, number>()
  const functions = new Map<string, number>()
  const lines = new Map<string, number>()
  const selfTimes = selfNanoseconds(profile)
  for (const { id, callFrame, positionTicks = [] } of profile.nodes) {
    const self = selfTimes.get(id) ?? 0
    if (self === 0 || callFrame.functionName === '(idle)') continue
    add(rooms, roomOf(callFrame), self)
    add(functions, titleOf(callFrame), self)
    const place = placeOf(callFrame.url)
    const allTicks = positionTicks.reduce((sum, { ticks }) => sum + ticks, 0)
    if (place !== '') for (const { line, ticks } of positionTicks) add(lines, `${place}:${line}`, (self * ticks) / allTicks)
  }
  const total = sumOf(rooms)
  print('self time by room', 'ns each', rooms, total, operations, Infinity)
  print('self time by function', 'ns each', functions, total, operations, SHOWN_FUNCTIONS)
  print('self time by line', 'ns each', lines, total, operations, SHOWN_LINES)
}

/** Prints who allocated how much, freed or not, in bytes for each operation. */
export function printAllocations({ head }: HeapProfiler.SamplingHeapProfile, operations: number): void {
  const rooms = new Map<string, number>()
  const functions = new Map<string, number>()
  const waiting = [head]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    waiting.push(...node.children)
    if (node.selfSize === 0) continue
    add(rooms, roomOf(node.callFrame), node.selfSize)
    add(functions, titleOf(node.callFrame), node.selfSize)
  }
  const total = sumOf(rooms)
  console.log(`${(total / operations).toFixed(0)} bytes allocated for each operation`)
  print('allocated by room', 'bytes each', rooms, total, operations, Infinity)
  print('allocated by function', 'bytes each', functions, total, operations, SHOWN_FUNCTIONS)
}

function selfNanoseconds({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Map<number, number> {
  const self = new Map<number, number>(nodes.map(({ id }) => [id, 0]))
  // A delta is the time before its sample, so a sample lasts until the next one.
  samples.forEach((id, index) => self.set(id, (self.get(id) ?? 0) + 1_000 * Math.max(0, timeDeltas[index + 1] ?? 0)))
  return self
}

function roomOf({ functionName, url }: Runtime.CallFrame): string {
  if (url === '') return functionName.startsWith('(') ? functionName : 'engine built-ins and generated code'
  if (url.startsWith('node:')) return 'node'
  const place = placeOf(url)
  const dependency = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(place)
  if (dependency !== null) return dependency[1] as string
  const folder = place.slice(0, place.lastIndexOf('/'))
  return folder === 'src' ? place : folder
}

/** The path inside the build or the checkout. */
function placeOf(url: string): string {
  const path = url.replace(/^file:\/\//, '')
  const found = /\/(node_modules\/.*)$/.exec(path) ?? /\/((?:src|policies|bench)\/.*)$/.exec(path)
  return found?.[1] ?? path
}

function titleOf({ functionName, url, lineNumber }: Runtime.CallFrame): string {
  const name = functionName === '' ? '(anonymous)' : functionName
  return url === '' ? name : `${name} ${placeOf(url)}:${lineNumber + 1}`
}

function print(what: string, unit: string, shares: ReadonlyMap<string, number>, total: number, operations: number | undefined, most: number): void {
  const rows = [...shares].sort(([, a], [, b]) => b - a).slice(0, most)
  const head = [what, '%', ...(operations === undefined ? [] : [unit])]
  const line = ([name, share]: [string, number]) => [name, ((100 * share) / total).toFixed(1), ...(operations === undefined ? [] : [(share / operations).toFixed(0)])]
  printTable(head, rows.map(line), 1)
}

function add(shares: Map<string, number>, name: string, share: number): void {
  shares.set(name, (shares.get(name) ?? 0) + share)
}

function sumOf(shares: ReadonlyMap<string, number>): number {
  return [...shares.values()].reduce((sum, share) => sum + share, 0)
}

const [, main, file] = process.argv
if (main !== undefined && import.meta.url === pathToFileURL(main).href) {
  if (file === undefined) throw new Error('Name a .cpuprofile file.')
  printProfile(JSON.parse(await readFile(file, 'utf8')) as Profiler.Profile)
}
