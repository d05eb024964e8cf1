// Why somebody was refused, in a sentence: asked for once for each decision, and kept. Where a decision is not kept by the server, what its code
// means must do.

import { useEffect, useState } from 'preact/hooks'
import type { BlockedRow } from '../../server/views.js'
import { ask, query, type AskError } from './ask.js'

const CODES: Readonly<Record<string, string>> = {
  budget: 'A budget is used up.',
  rate: 'Too many requests in too short a time.',
  policy: 'A policy does not allow it.',
  'policy-error': 'A policy failed, and what is not known to be allowed is refused.',
  'store-unavailable': 'The store of the budgets was away.',
}
const MOST = 200

const known = new Map<string, Promise<string>>()

/** Forgets all of them: they are of one key. */
export function forgetReasons(): void {
  known.clear()
  lostAt = ''
}

/** The sentence; what its code means until it is known. */
export function useReason(row: BlockedRow): string {
  const words = CODES[row.reason] ?? row.reason
  const [found, setFound] = useState<string | undefined>(undefined)
  useEffect(() => {
    let isWanted = row.reason in CODES
    if (isWanted) void reasonOf(row, words).then((reason) => isWanted && setFound(reason))
    return () => void (isWanted = false)
  }, [row.decisionId])
  return found ?? words
}

/** One after the other, the newest first: where one is not kept any more, none that is older is, and nobody asks for it. */
let queue: Promise<unknown> = Promise.resolve()
let lostAt = ''

function reasonOf({ decisionId, tenant, at }: BlockedRow, words: string): Promise<string> {
  const key = JSON.stringify([tenant, decisionId])
  const before = known.get(key)
  if (before !== undefined) return before
  if (known.size >= MOST) known.clear()
  const asked = queue.then(async () => {
    if (at <= lostAt) return words
    try {
      const { reason } = await ask<{ readonly reason?: unknown }>(`/v1/decisions/${encodeURIComponent(decisionId)}${query({ tenant })}`)
      return typeof reason === 'string' && reason !== '' ? reason : words
    } catch (error) {
      if ((error as AskError).status === 404) lostAt = at
      return words
    }
  })
  queue = asked
  known.set(key, asked)
  return asked
}
