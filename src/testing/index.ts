// What applications use to test against bursar, and what stores are tested with.

export { manualClock, type ManualClock } from './manual-clock.js'
