export { EventHub } from './hub.js'
export type { ThresholdEvent, TrackerEvents } from './events.js'
