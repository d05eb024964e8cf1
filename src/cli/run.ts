// One run of a command: what it was given, what it has opened, and that all of it is closed, whatever happens.

import { fileURLToPath } from 'node:url'
import { isAbsolute, resolve } from 'node:path'
import { InvalidRequestError } from '../errors/index.js'
import { assertTimeZone } from '../time/index.js'
import type { Io } from './io.js'
import type { Secrets } from './secrets.js'
import type { Terminal } from './terminal.js'

/** The options that every command takes. */
export interface CommonOptions {
  readonly config?: string | undefined
  readonly store?: string | undefined
  readonly ledger?: string | undefined
  readonly zone?: string | undefined
  readonly quiet?: boolean | undefined
  readonly debug?: boolean | undefined
}

/** One run of a command. */
export class Run {
  readonly io: Io
  readonly terminal: Terminal
  readonly secrets: Secrets
  readonly common: CommonOptions
  /** True for what runs until somebody stops it: then that is no interruption, but its end. */
  isService = false
  #zone: string
  readonly #closers: (() => unknown)[] = []

  /** Throws `InvalidConfigError` for a zone that there is not. */
  constructor(io: Io, terminal: Terminal, secrets: Secrets, common: CommonOptions) {
    this.io = io
    this.terminal = terminal
    this.secrets = secrets
    this.common = common
    this.#zone = assertTimeZone(common.zone ?? 'UTC', '--zone')
  }

  /** The time zone in which times are shown and read: `--zone`, else that of the configuration once it was read, else UTC. */
  get zone(): string {
    return this.#zone
  }

  /** Takes the zone of a configuration, where no other was asked for. */
  adoptZone(zone: string | undefined): void {
    if (zone !== undefined && this.common.zone === undefined) this.#zone = zone
  }

  /** This moment, in ms since the epoch. */
  get now(): number {
    return this.io.clock()
  }

  /** Closes it when the command is over: the newest first. */
  closeLater(close: () => unknown): void {
    this.#closers.push(close)
  }

  /** Closes everything. What fails is given back, and keeps nothing else open. */
  async close(): Promise<readonly unknown[]> {
    const failures: unknown[] = []
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    }
    return failures
  }

  /** The same things one by one, until somebody stops the command. */
  async *each<T>(things: AsyncIterable<T>, progress?: { add(count?: number): void }): AsyncIterable<T> {
    for await (const thing of things) {
      this.io.signal?.throwIfAborted()
      yield thing
      progress?.add()
    }
  }

  /** A path as somebody wrote it, seen from where the command was started. Throws `InvalidRequestError` for an empty one. */
  path(text: string, field: string): string {
    if (text === '' || text.includes('\0')) throw new InvalidRequestError(`${field}: ${JSON.stringify(text)} is no path. Give the path of a file.`)
    const path = text.startsWith('file:') ? fileURLToPath(text) : text
    return isAbsolute(path) ? path : resolve(this.io.cwd, path)
  }
}
