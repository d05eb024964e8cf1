// Deletes rows of ids that are forgotten, a few at a time. When an id is forgotten is decided where it is looked up, to the
// millisecond; this only gives back the room.

import { GENERATED_IDS_KEPT_MS, GIVEN_IDS_KEPT_MS } from '../counting/life.js'
import type { Connection } from './connection.js'
import { perform, type SqliteStatement } from './driver.js'

/** How many rows are looked at in one operation. */
const BATCH = 64
/** How long nobody looks again after everything was done. */
const PAUSE_MS = 1_000

interface Ending {
  readonly seq: number
  readonly at: number
  readonly id: string
}

/** Follows the ledger: what has an entry long enough ago is forgotten. */
export class Forgetting {
  readonly #cursors: SqliteStatement
  readonly #moveCursors: SqliteStatement
  readonly #endings: SqliteStatement
  readonly #delete: SqliteStatement
  readonly #deleteWithoutEntry: SqliteStatement
  readonly #deleteDue: SqliteStatement
  #restsUntil = 0

  constructor(connection: Connection) {
    this.#cursors = connection.prepare('SELECT forgot_generated AS generated, forgot_given AS given FROM head')
    this.#moveCursors = connection.prepare('UPDATE head SET forgot_generated = ?, forgot_given = ?')
    this.#endings = connection.prepare(`SELECT seq, at, decision_id AS id FROM entry WHERE seq > ? AND placed IS NOT NULL ORDER BY seq LIMIT ${BATCH}`)
    this.#delete = connection.prepare("DELETE FROM hold WHERE id = ? AND state <> 'open' AND wakes_at <= ?")
    this.#deleteWithoutEntry = connection.prepare(`
      DELETE FROM hold WHERE id IN (SELECT id FROM hold WHERE state IN ('refunded', 'buried') AND wakes_at <= ? ORDER BY wakes_at LIMIT ${BATCH})`)
    this.#deleteDue = connection.prepare(`DELETE FROM due WHERE (due_at, id) IN (SELECT due_at, id FROM due WHERE due_at < ? ORDER BY due_at, id LIMIT ${BATCH})`)
  }

  /** Deletes some of what is forgotten at `now`, after what is due by then has ended. */
  tidy(now: number): void {
    if (now < this.#restsUntil) return
    const before = this.#cursors.get() as { readonly generated: number; readonly given: number }
    const generated = this.#follow(before.generated, now, GENERATED_IDS_KEPT_MS)
    const given = this.#follow(before.given, now, GIVEN_IDS_KEPT_MS)
    const deleted = Math.max(Number(this.#deleteWithoutEntry.run(now).changes), Number(this.#deleteDue.run(now).changes))
    if (generated !== before.generated || given !== before.given) perform(this.#moveCursors, generated, given)
    else if (deleted < BATCH) this.#restsUntil = now + PAUSE_MS
  }

  /** What was noted may have been rolled back. */
  restart(): void {
    this.#restsUntil = 0
  }

  #follow(cursor: number, now: number, keptMs: number): number {
    let reached = cursor
    for (const { seq, at, id } of this.#endings.all(cursor) as Ending[]) {
      if (at + keptMs > now) break
      perform(this.#delete, id, now)
      reached = seq
    }
    return reached
  }
}
