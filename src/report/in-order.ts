// Sorting of many things, a little at a time: a sort of tens of thousands at once would keep the process from everything else.

import { nextTurn } from '../ledger/index.js'

/** How many are sorted, or merged, before the process may turn to something else. */
const AT_ONCE = 1_000

/** The same in order; what is equal stays as it is. */
export async function inOrder<Item>(items: readonly Item[], compare: (one: Item, other: Item) => number): Promise<readonly Item[]> {
  let runs: Item[][] = []
  for (let first = 0; first < items.length; first += AT_ONCE) {
    if (first > 0) await nextTurn()
    runs.push(items.slice(first, first + AT_ONCE).sort(compare))
  }
  while (runs.length > 1) {
    const merged: Item[][] = []
    for (let index = 0; index < runs.length; index += 2) merged.push(await mergedOf(runs[index] as Item[], runs[index + 1] ?? [], compare))
    runs = merged
  }
  return runs[0] ?? []
}

async function mergedOf<Item>(one: readonly Item[], other: readonly Item[], compare: (one: Item, other: Item) => number): Promise<Item[]> {
  const merged: Item[] = []
  for (let [left, right] = [0, 0]; left < one.length || right < other.length; ) {
    const takesLeft = right >= other.length || (left < one.length && compare(one[left] as Item, other[right] as Item) <= 0)
    merged.push(takesLeft ? (one[left++] as Item) : (other[right++] as Item))
    if (merged.length % AT_ONCE === 0) await nextTurn()
  }
  return merged
}
