export { memoryLedger, type MemoryLedger, type MemoryLedgerOptions } from './memory-ledger.js'
export { memoryStore, type MemoryStoreOptions } from './memory-store.js'
