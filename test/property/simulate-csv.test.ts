// What a CSV says is read back whatever its cells hold and however its text is cut, and a quote that is never closed loses no other row.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toCsv, type LedgerEntry } from '../../src/ledger/index.js'
import { csvRowsOf } from '../../src/simulate/csv.js'
import { objectOfCells } from '../../src/simulate/ledger-rows.js'
import { assertProperty } from '../support/property.js'

const HEADER = ['time', 'user', 'note']
const piece = fc.constantFrom('"', '""', ',', '\n', '\r\n', 'a', 'b c', '2026-01-05', '\t', '1.5', "'")
const cell = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''))
const line = fc.array(piece.filter((text) => !text.includes('\n')), { maxLength: 5 }).map((pieces) => pieces.join(''))

function written(cells: readonly string[], isQuoted: boolean): string {
  return cells.map((text) => (isQuoted || /[",\r\n]/.test(text) || text === '' ? `"${text.replaceAll('"', '""')}"` : text)).join(',')
}

async function* cut(text: string, size: number): AsyncIterable<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size)
}

interface Row {
  readonly row: number
  readonly content: readonly string[] | string
}

async function rowsOf(batches: ReturnType<typeof csvRowsOf>): Promise<Row[]> {
  const rows: Row[] = []
  for await (const batch of batches) rows.push(...batch.map(({ row, content }) => ({ row, content })))
  return rows
}

function read(text: string, size: number, accepts?: (header: readonly string[], cells: readonly string[]) => boolean): Promise<Row[]> {
  return rowsOf(csvRowsOf(cut(text, size), ',', accepts))
}

describe('the rows of a CSV', () => {
  it('are those that were written', async () => {
    const rows = fc.array(fc.tuple(fc.tuple(cell, cell, cell), fc.boolean()), { maxLength: 12 })
    await assertProperty('CSV-IS-READ-BACK', fc.asyncProperty(rows, fc.constantFrom('\n', '\r\n'), fc.integer({ min: 1, max: 40 }), fc.boolean(), async (given, end, size, isEnded) => {
      const text = [HEADER.join(','), ...given.map(([cells, isQuoted]) => written(cells, isQuoted))].join(end) + (isEnded ? end : '')
      expect(await read(text, size)).toEqual([HEADER, ...given.map(([cells]) => cells)].map((content, index) => ({ row: index + 1, content })))
    }), Number(process.env['BURSAR_RUNS'] ?? 500))
  })

  it('are all read but the one whose quote is never closed, where no cell may have several lines', async () => {
    const rows = fc.array(fc.tuple(fc.tuple(line, line, line), fc.boolean()), { minLength: 1, maxLength: 30 })
    await assertProperty('CSV-BEGINS-ANEW', fc.asyncProperty(rows, fc.nat(), fc.integer({ min: 1, max: 200 }), async (given, which, size) => {
      const broken = which % given.length
      const lines = given.map(([cells, isQuoted], index) => (index === broken ? `2026-01-05,"bob,${index}` : written(cells, isQuoted)))
      const found = await read(`${[HEADER.join(','), ...lines].join('\n')}\n`, size, (_header, cells) => !cells.some((text) => text.includes('\n')))
      expect(found).toEqual([HEADER, ...given.map(([cells]) => cells)].map((content, index) => ({ row: index + 1, content: index === broken + 1 ? expect.stringMatching(/^(open|stray)$/) : content })))
    }), Number(process.env['BURSAR_RUNS'] ?? 500))
  })

  it('are what a ledger said, whatever an export had to defuse', async () => {
    const text = fc.array(fc.constantFrom("'", '=', '-', ';', '\t', '"', ' ', '\u200b', 'a', '＝', '\n'), { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(''))
    await assertProperty('DEFUSED-AND-BACK', fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), async (reasons) => {
      const entries = async function* (): AsyncIterable<LedgerEntry> {
        for (const reason of reasons) yield { id: 'a', kind: 'denied', at: 0, decisionId: 'a', userId: 'ada', microcents: 0, tokens: 0, charged: [], reason }
      }
      const [header, ...rows] = (await rowsOf(csvRowsOf(toCsv(entries())))).map(({ content }) => content as readonly string[])
      expect(rows.map((cells, index) => objectOfCells(index + 2, header as readonly string[], cells)['reason'])).toEqual(reasons)
    }), Number(process.env['BURSAR_RUNS'] ?? 500))
  })
})
