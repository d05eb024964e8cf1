// The house plan, kept by a test: imports run downwards, nothing goes in circles, and each kind of knowledge has one room.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** The rooms from the bottom up: each may import from those below it. Drivers are listed apart. */
const FLOORS = [
  ['src/errors'],
  ['src/money', 'src/time'],
  ['src/enforcement'],
  ['policies'],
  ['src/budget'],
  ['src/ledger', 'src/events', 'src/pricing'],
  ['src/store'],
  ['src/audit', 'src/report', 'src/forecast'],
  ['src/store/counting'],
  ['src/store/memory', 'src/store/sqlite', 'src/store/redis', 'src/store/postgres'],
  ['src/outage'],
  ['src/limits'],
  ['src/tracker'],
  ['src/decision', 'src/stripe'],
  ['src/stream'],
  ['src/session'],
  ['src/config.ts', 'src/policies-in-force.ts', 'src/prices'],
  ['src/bursar.ts'],
  ['src/integrations', 'src/simulate', 'src/telemetry'],
  ['src/index.ts'],
  ['src/testing', 'src/server'],
  ['src/cli', 'src/dashboard'],
]

const files = [...sources('src'), ...sources('policies')]

describe('the house', () => {
  it('has a place for every file', () => {
    expect(files.filter((file) => floorOf(file) < 0)).toEqual([])
  })

  it('imports downwards only', () => {
    const upwards = edges().filter(({ from, to }) => floorOf(to) > floorOf(from))
    expect(upwards).toEqual([])
  })

  it('keeps rooms of one floor apart', () => {
    const sideways = edges().filter(({ from, to }) => floorOf(to) === floorOf(from) && roomOf(to) !== roomOf(from))
    expect(sideways).toEqual([])
  })

  it('has no cycle', () => {
    const all = edges()
    const graph = new Map(files.map((file) => [file, all.filter(({ from, typeOnly }) => from === file && !typeOnly).map(({ to }) => to)]))
    const cyclic = files.filter((file) => reaches(graph, file, file))
    expect(cyclic).toEqual([])
  })

  it.each([
    ['the system clock', /Date\.now\(|new Date\(\)/, /^src\/time\//],
    ['date-fns-tz', /from 'date-fns-tz'/, /^src\/time\//],
    ['eventemitter3', /from 'eventemitter3'/, /^src\/events\//],
    ['the catalog of prices', /from '(@pydantic\/genai-prices|(\.\.?\/)+prices\/[^']*)'/, /^src\/prices\//],
    ['the built-in policies', /from '(\.\.\/)+policies\//, /^src\/(bursar|testing\/.*)\.ts$/],
    ['a node: module at the top of a file', /^(import|export) .*from 'node:/m, /^src\/(store\/(sqlite|redis)|cli|server)\//],
  ])('mentions %s in its own room only', (_what, pattern, room) => {
    const elsewhere = files.filter((file) => pattern.test(read(file)) && !room.test(file))
    expect(elsewhere).toEqual([])
  })

  it('opens every file with what the room decides', () => {
    const headless = files.filter((file) => !/^(#!.*\n)?\/\/ \S/.test(read(file)) && !/(^|\/)index\.ts$/.test(file) && !file.startsWith('policies/'))
    expect(headless).toEqual([])
  })

  it('has no room that has outgrown itself', () => {
    expect(files.filter((file) => read(file).split('\n').length > 400)).toEqual([])
  })

  it('uses the words of the design', () => {
    expect(files.filter((file) => /\b[Rr]eservations?\b|\bcaptur(e|ed)\(/.test(read(file)))).toEqual([])
  })
})

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function roomOf(file: string): string | undefined {
  const rooms = FLOORS.flat().filter((room) => file === room || file.startsWith(`${room}/`))
  return rooms.sort((a, b) => b.length - a.length)[0]
}

function floorOf(file: string): number {
  const room = roomOf(file)
  return FLOORS.findIndex((floor) => floor.includes(room ?? ''))
}

function edges(): { from: string; to: string; typeOnly: boolean }[] {
  return files.flatMap((from) =>
    [...read(from).matchAll(/^(?:import|export)( type)? [^'"]*from '(\.[^']+)\.js'/gm)].map(([, type, path]) => ({
      from,
      to: `${normalize(join(dirname(from), path as string))}.ts`,
      typeOnly: type !== undefined,
    })),
  )
}

function reaches(graph: ReadonlyMap<string, readonly string[]>, from: string, goal: string, seen = new Set<string>()): boolean {
  return (graph.get(from) ?? []).some((next) => next === goal || (!seen.has(next) && reaches(graph, next, goal, seen.add(next))))
}
