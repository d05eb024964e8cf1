// A guard is a store like any other: the published suite runs on it.

import { describe, it } from 'vitest'
import { memoryStore } from '../../../src/index.js'
import { OutageGuard } from '../../../src/outage/index.js'
import { storeContract } from '../../../src/testing/index.js'
import { FickleStore } from './fickle-store.js'

const unheard = { timeoutMs: 1_000, onError: () => {}, onRecovered: () => {}, onEffects: () => {}, warn: () => {} }

describe.each([[true], [false]])('a guard before a store (that answers at once: %s)', (answersAtOnce) => {
  for (const { name, run } of storeContract) it(name, () => run((clock) => new OutageGuard(new FickleStore(memoryStore({ clock }), answersAtOnce).store, { ...unheard, clock, localShare: 0.5 })))
})
