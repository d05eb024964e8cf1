// The store contract on the plain store that the properties compare with.

import { describe, it } from 'vitest'
import { storeContract } from '../../src/testing/index.js'
import { PlainStore } from '../support/plain-store.js'

describe('the plain store', () => {
  for (const { name, run } of storeContract) it(name, () => run((clock) => new PlainStore(clock)))
})
