// The third witness beside ledger and counters: what a process was told, on disk before it goes on. A process that is killed can
// lose nothing of it but a line that it was writing.

import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs'

/**
 * What a process did or was told. `asked`: it is about to ask for a hold. `held`, `settled`, `released`, `refused`: the store
 * said so. `unavailable`: nobody knows whether the hold was opened. `lost`: a call was made and the store knows no hold for it.
 */
export interface Testimony {
  readonly what: 'asked' | 'held' | 'settled' | 'released' | 'refused' | 'unavailable' | 'lost'
  readonly id: string
  readonly userId: string
  /** The estimate, or what was settled. */
  readonly microcents: number
}

/** A log that one process writes. */
export class WitnessLog {
  readonly #file: number

  constructor(path: string) {
    this.#file = openSync(path, 'a')
  }

  /** Returns when the line is on disk. */
  write(testimony: Testimony): void {
    writeSync(this.#file, `${JSON.stringify(testimony)}\n`)
    fdatasyncSync(this.#file)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** What a log says so far. */
export function testimonies(path: string): Testimony[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  // What stands after the last line break is not yet written, or never will be.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Testimony)
}
