// What clients really send to a server, counted by the server itself (MONITOR). What scripts call inside it is not counted: that
// costs no trip.

import { Redis } from 'ioredis'
import { until } from './until.js'

/** The commands that a server got from clients, in order. */
export interface MonitoredCommands {
  readonly commands: readonly (readonly string[])[]
  /** How often each was sent, by its name in small letters. */
  readonly counts: Readonly<Record<string, number>>
}

/** Lists what all clients of the server send while `run` runs. */
export async function monitorCommands(url: string, run: () => Promise<unknown>): Promise<MonitoredCommands> {
  const client = new Redis(url)
  const marking = new Redis(url)
  const seen: { readonly words: readonly string[]; readonly source: string }[] = []
  try {
    await marking.ping()
    const monitor = await client.monitor()
    monitor.on('monitor', (_at: string, words: string[], source: string) => void seen.push({ words, source }))
    try {
      const first = await mark(marking, seen)
      await run()
      const last = await mark(marking, seen)
      const commands = seen.slice(first + 1, last).flatMap(({ words, source }) => (source === 'lua' ? [] : [words]))
      const counts: Record<string, number> = {}
      for (const [name = ''] of commands) counts[name.toLowerCase()] = (counts[name.toLowerCase()] ?? 0) + 1
      return { commands, counts }
    } finally {
      monitor.disconnect()
    }
  } finally {
    client.disconnect()
    marking.disconnect()
  }
}

let marks = 0

/** Sends a command that nobody else sends and waits until the monitor has seen it: then it has seen everything before it. */
async function mark(marking: Redis, seen: readonly { readonly words: readonly string[] }[]): Promise<number> {
  const text = `mark ${process.pid} ${(marks += 1)}`
  await marking.echo(text)
  return until('the monitor has caught up', () => {
    const at = seen.findIndex(({ words }) => words[1] === text)
    return at < 0 ? undefined : at
  })
}
