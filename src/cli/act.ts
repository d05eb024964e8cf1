// How a command and its options meet: the type of what commands are given to be run, and readers of single options.

import { InvalidArgumentError } from 'commander'
import type { Run } from './run.js'

/** Makes the action of a command: `work` gets its options and arguments, and gives an exit code where it is not 0. */
export type Act = <Options extends object, Arguments extends readonly unknown[]>(
  work: (run: Run, options: Options, ...args: Arguments) => Promise<number | void>,
) => (...given: unknown[]) => Promise<void>

/** An option that is a whole number from 1 up. */
export function countArgument(text: string): number {
  if (!/^\d{1,15}$/.test(text) || Number(text) < 1) throw new InvalidArgumentError('Give a whole number from 1 up.')
  return Number(text)
}

/** An option that may be given again: all of its values. */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}

/** The two sides of `name=value`: the value may have more of `=`. Throws `InvalidArgumentError` without a name. */
export function pairArgument(text: string): readonly [name: string, value: string] {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Write name=value.')
  return [text.slice(0, at), text.slice(at + 1)]
}

/** {@link pairArgument}, collected. */
export function pairsArgument(text: string, before: readonly (readonly [string, string])[] = []): readonly (readonly [string, string])[] {
  return [...before, pairArgument(text)]
}
