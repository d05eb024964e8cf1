// Tables for people: columns as wide as what stands in them, nothing cut off, numbers to the right.

import Table from 'cli-table3'
import { visible } from './visible.js'

/** A column: its heading, and whether it is a column of numbers. */
export interface Column {
  readonly head: string
  readonly number?: boolean | undefined
}

const NO_FRAME = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
} as const // prettier-ignore

/** The rows as text with a line end. `bold` makes the headings bold: for terminals alone. An empty cell is a dash. */
export function tableOf(columns: readonly Column[], rows: readonly (readonly (string | undefined)[])[], bold = false): string {
  const table = new Table({
    head: columns.map(({ head }) => (bold ? `\u001b[1m${head}\u001b[22m` : head)),
    colAligns: columns.map(({ number }) => (number === true ? 'right' : 'left')),
    chars: NO_FRAME,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  table.push(...rows.map((row) => columns.map((_, index) => cell(row[index]))))
  return `${table.toString().split('\n').map((line) => line.trimEnd()).join('\n')}\n`
}

/** Pairs of a name and a value, one a line. */
export function listOf(pairs: readonly (readonly [name: string, value: string | undefined])[]): string {
  const shown = pairs.filter(([, value]) => value !== undefined)
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${visible(value as string)}\n`).join('')
}

function cell(value: string | undefined): string {
  return value === undefined || value === '' ? '–' : visible(value)
}
