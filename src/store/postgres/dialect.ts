// Postgres's way of saying what the ledger's SQL asks for. Texts are asked for, and come back, as they are kept.

import type { Conditions, EntrySum } from '../../ledger/index.js'
import type { Dialect } from '../../ledger/sql.js'
import { givenText, keptText } from './texts.js'

/** See the head of this file. The texts of conditions have been through {@link keptConditions}. */
export const POSTGRES: Dialect = {
  parameter: (number) => `$${number}`,
  jsonAt: (column, keys, add) => `(${column}${keys.map((key) => ` -> ${add(keptText(key))}::text`).join('')})::text`,
  oneOf: (expression, texts, add) => `${expression} IN (${texts.map((text) => `${add(text)}::text`).join(', ')})`,
  sum: (column) => `sum(${column})::text`,
}

/** Conditions that ask for texts as they are kept. */
export function keptConditions({ fields, bounds }: Conditions): Conditions {
  return { fields: fields.map((condition) => ({ ...condition, texts: condition.texts.map(keptText) })), bounds }
}

/** A sum under the texts that its entries had. */
export function givenSum(sum: EntrySum): EntrySum {
  return { ...sum, texts: sum.texts.map((text) => text && givenText(text)) }
}
