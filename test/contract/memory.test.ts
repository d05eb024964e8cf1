// The store contract on the memory store.

import { describe, it } from 'vitest'
import { memoryStore } from '../../src/store/memory/index.js'
import { storeContract } from '../../src/testing/index.js'

describe('the memory store', () => {
  for (const { name, run } of storeContract) it(name, () => run((clock) => memoryStore({ clock })))
})
