// The queue: jobs, and what the model has answered to each part of them. What is written here survives the process.

import type { SqliteDatabase } from 'bursar/sqlite'
import { randomUUID } from 'node:crypto'

export interface Job {
  readonly id: string
  readonly customer: string
  readonly state: 'queued' | 'running' | 'done' | 'failed'
  readonly reason: string | null
  readonly parts: readonly string[]
}

export interface Answer {
  readonly model: string
  readonly text: string
  readonly usage: object
}

export class Jobs {
  readonly #database: SqliteDatabase

  /** Jobs that a process was at work on when it ended are queued again. */
  constructor(database: SqliteDatabase) {
    this.#database = database
    database.exec(`
      CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, customer TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, parts TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS answers (job TEXT, part INTEGER, answer TEXT NOT NULL, PRIMARY KEY (job, part));
      UPDATE jobs SET state = 'queued' WHERE state = 'running'`)
  }

  add(customer: string, parts: readonly string[]): string {
    const id = randomUUID()
    this.#database.prepare("INSERT INTO jobs (id, customer, state, parts) VALUES (?, ?, 'queued', ?)").run(id, customer, JSON.stringify(parts))
    return id
  }

  find(id: string): Job | undefined {
    return jobOf(this.#database.prepare('SELECT * FROM jobs WHERE id = ?').get(id))
  }

  /** The oldest that waits: nobody else gets it. */
  take(): Job | undefined {
    return jobOf(this.#database.prepare("UPDATE jobs SET state = 'running' WHERE id = (SELECT id FROM jobs WHERE state = 'queued' ORDER BY rowid LIMIT 1) RETURNING *").get())
  }

  end(id: string, state: 'done' | 'failed', reason: string | null = null): void {
    this.#database.prepare('UPDATE jobs SET state = ?, reason = ? WHERE id = ?').run(state, reason, id)
  }

  answers(id: string): Answer[] {
    const rows = this.#database.prepare('SELECT answer FROM answers WHERE job = ? ORDER BY part').all(id) as { answer: string }[]
    return rows.map(({ answer }) => JSON.parse(answer) as Answer)
  }

  keep(id: string, part: number, answer: Answer): void {
    this.#database.prepare('INSERT INTO answers (job, part, answer) VALUES (?, ?, ?)').run(id, part, JSON.stringify(answer))
  }
}

function jobOf(row: unknown): Job | undefined {
  if (row === undefined) return undefined
  const job = row as Omit<Job, 'parts'> & { parts: string }
  return { ...job, parts: JSON.parse(job.parts) as string[] }
}
