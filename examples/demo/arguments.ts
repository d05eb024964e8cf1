// What the demo is asked to do: its command line, checked whole before anything is started.

import { parseArgs } from 'node:util'
import { Complaint } from './complaint.js'
import { USERS } from './traffic.js'

/** The store that was asked for. */
export type StoreChoice =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'redis'; readonly url: string }

/** The command line. */
export interface DemoOptions {
  readonly store: StoreChoice
  /** How many processes make the calls; 1: this one. */
  readonly processes: number
  /** Leave the data where it is when the demo has ended. */
  readonly keep: boolean
  /** A user for whom the stand-in counts one microcent too many. */
  readonly miscount: string | undefined
}

const MOST_PROCESSES = 16
const SHARED_STORE = 'Add --store redis://127.0.0.1:6379 or --store sqlite:./demo.db'

/** Reads the command line. Throws a `Complaint` with exit code 2, naming the argument. */
export function readArguments(args: string[]): DemoOptions {
  const { store: given, processes: count, keep, miscount } = parse(args)
  const store = readStore(given)
  const processes = /^\d{1,3}$/.test(count) ? Number(count) : 0
  if (processes < 1 || processes > MOST_PROCESSES) {
    throw wrong('--processes', `"${count}" is no number of processes. Give a whole number from 1 to ${MOST_PROCESSES}`)
  }
  if (store.kind === 'memory' && processes > 1) {
    throw wrong('--processes', `with the memory store each process would have budgets of its own. ${SHARED_STORE}`)
  }
  if (store.kind === 'memory' && keep) throw wrong('--keep', `the memory store ends with its process. ${SHARED_STORE}`)
  if (miscount !== undefined && !USERS.some(({ id }) => id === miscount)) {
    throw wrong('--miscount', `"${miscount}" is no user of the demo. Use ${USERS.map(({ id }) => id).join(', ')}`)
  }
  return { store, processes, keep, miscount }
}

function parse(args: string[]): { store: string; processes: string; keep: boolean; miscount: string | undefined } {
  try {
    const { values } = parseArgs({
      args,
      options: {
        store: { type: 'string', default: 'memory' },
        processes: { type: 'string', default: '1' },
        keep: { type: 'boolean', default: false },
        miscount: { type: 'string' },
      },
    })
    return { ...values, miscount: values.miscount }
  } catch (error) {
    throw new Complaint(`${(error as Error).message.replace(/\.?$/, '.')} The demo takes --store, --processes, --keep and --miscount.`, 2)
  }
}

function readStore(given: string): StoreChoice {
  if (given === 'memory') return { kind: 'memory' }
  const [, path] = /^sqlite:(.+)$/.exec(given) ?? []
  if (path !== undefined) return { kind: 'sqlite', path }
  if (/^rediss?:\/\/[^/]/.test(given) && URL.canParse(given)) return { kind: 'redis', url: given }
  throw wrong('--store', `"${given}" is no store of the demo. Use memory, sqlite:<file> or redis://<host>:<port>`)
}

function wrong(argument: string, why: string): Complaint {
  return new Complaint(`${argument}: ${why}.`, 2)
}
