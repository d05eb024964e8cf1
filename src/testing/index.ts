// What applications use to test against bursar, and what stores are tested with.

export { contextFor } from './context-for.js'
export { forcedBursar, type ForcedOptions } from './forced-bursar.js'
export { manualClock, type ManualClock } from './manual-clock.js'
export { storeContract, type OpenStore, type StoreContractCase } from './store-contract.js'
