// Customers in the registry, where several processes write at the same time.

import { beforeEach, describe, expect, it } from 'vitest'
import { CustomerBook, type CustomerFacts } from '../../../src/server/customer-book.js'
import { MemoryRegistry } from '../../../src/store/memory/registry.js'

const ada = { userId: 'ada', tenant: 'acme' }
const KEY = ['customer', 'acme/ada'] as const
let registry: MemoryRegistry
let book: CustomerBook

beforeEach(async () => {
  registry = new MemoryRegistry(() => 1_000)
  book = new CustomerBook(registry, () => 1_000)
  await book.create(ada, { name: 'Ada', metadata: {} })
})

/** Another process writes, between a reading and the writing that goes by it. */
function elsewhere(value: (before: object) => object | null): void {
  const found = registry.get(...KEY)
  const written = value(JSON.parse(found?.value ?? '{}') as object)
  registry.put(...KEY, written === null ? null : JSON.stringify(written), { expected: found?.version ?? 0 })
}

describe('a customer', () => {
  it('keeps what another process has written in between', async () => {
    let times = 0
    const change = (before: CustomerFacts): CustomerFacts => {
      if ((times += 1) === 1) elsewhere((record) => ({ ...record, email: 'ada@acme.test' }))
      return { ...before, name: 'Countess' }
    }
    expect(await book.change(ada, change)).toMatchObject({ name: 'Countess', email: 'ada@acme.test' })
    expect(times).toBe(2)
  })

  it('is not changed in between for whoever names a version', async () => {
    const { version } = await book.find(ada)
    const change = (before: CustomerFacts): CustomerFacts => {
      elsewhere((record) => ({ ...record, name: 'Theirs' }))
      return { ...before, name: 'Ours' }
    }
    await expect(book.change(ada, change, version)).rejects.toMatchObject({ status: 409 })
    expect(await book.get(ada)).toMatchObject({ name: 'Theirs' })
  })

  it('does not come back when another process has removed it', async () => {
    const change = (before: CustomerFacts): CustomerFacts => {
      elsewhere(() => null)
      return before
    }
    await expect(book.change(ada, change)).rejects.toMatchObject({ status: 404 })
    expect(await book.get(ada)).toBeUndefined()
  })

  it('says so where others change it again and again', async () => {
    const change = (before: CustomerFacts): CustomerFacts => {
      elsewhere((record) => record)
      return before
    }
    await expect(book.change(ada, change)).rejects.toMatchObject({ status: 503 })
  })
})
