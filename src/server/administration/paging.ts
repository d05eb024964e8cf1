// Lists in a stable order, page by page: by the keys of records, in memory of one page. A cursor says the last key, behind what is the
// caller's own anyway, and nothing else.

import { nextTurn } from '../../ledger/index.js'
import { Problem } from '../problem.js'

/** Which page. */
export interface PageOptions {
  /** Default 100. */
  readonly limit?: number | undefined
  /** The `next` of the page before. */
  readonly cursor?: string | undefined
}

/** Some items, and where the next ones begin. */
export interface Page<Item> {
  readonly items: Item[]
  readonly next?: string | undefined
}

const USUAL = 100
/** How many records are looked at before the process may turn to something else. */
const LOOKED_AT = 2_000

/**
 * The first items after the cursor, in the order of their keys: of those under `prefix` for which `isWanted` says yes. Throws a 422 for
 * what is no cursor.
 */
export async function pageByKey<Item extends { readonly key: string }>(source: AsyncIterable<Item> | Iterable<Item>, prefix: string, { limit = USUAL, cursor }: PageOptions, isWanted: (item: Item) => boolean = () => true): Promise<Page<Item>> {
  const after = cursor === undefined ? undefined : `${prefix}${keyIn(cursor)}`
  let found: Item[] = []
  let seen = 0
  for await (const item of source) {
    if ((seen += 1) % LOOKED_AT === 0) await nextTurn()
    if (!item.key.startsWith(prefix) || (after !== undefined && item.key <= after) || !isWanted(item)) continue
    found.push(item)
    if (found.length > LOOKED_AT + 2 * limit) found = first(found, limit + 1)
  }
  const items = first(found, limit + 1)
  if (items.length <= limit) return { items }
  items.length = limit
  return { items, next: Buffer.from((items[limit - 1] as Item).key.slice(prefix.length)).toString('base64url') }
}

function first<Item extends { readonly key: string }>(items: Item[], limit: number): Item[] {
  return items.sort((one, other) => (one.key < other.key ? -1 : 1)).slice(0, limit)
}

function keyIn(cursor: string): string {
  const key = Buffer.from(cursor, 'base64url').toString()
  if (key === '' || Buffer.from(key).toString('base64url') !== cursor) throw new Problem(422, 'INVALID_REQUEST', 'cursor: is none of this list. Give the next of the page before, or none to begin.')
  return key
}
