export { UsageMeter, type UsageDetails, type UsageType } from './usage-meter.js'
