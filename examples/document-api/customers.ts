// Customers and their keys. Of a key only the hash is kept: it is shown once.

import type { SqliteDatabase } from 'bursar/sqlite'
import { createHash, randomBytes } from 'node:crypto'

export interface Customer {
  readonly id: string
  readonly tier: 'trial' | 'team'
}

export interface NewCustomer extends Customer {
  readonly key: string
}

export class Customers {
  readonly #database: SqliteDatabase

  constructor(database: SqliteDatabase) {
    this.#database = database
    database.exec('CREATE TABLE IF NOT EXISTS customers (id TEXT PRIMARY KEY, tier TEXT NOT NULL, key_hash TEXT NOT NULL UNIQUE)')
  }

  get isEmpty(): boolean {
    return this.#database.prepare('SELECT 1 FROM customers').get() === undefined
  }

  add(id: string, tier: Customer['tier']): NewCustomer {
    const key = `doc_${randomBytes(24).toString('base64url')}`
    this.#database.prepare('INSERT INTO customers (id, tier, key_hash) VALUES (?, ?, ?)').run(id, tier, hashOf(key))
    return { id, tier, key }
  }

  ofKey(key: string): Customer | undefined {
    return this.#database.prepare('SELECT id, tier FROM customers WHERE key_hash = ?').get(hashOf(key)) as Customer | undefined
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}
