export { ExactSum } from './exact-sum.js'
export { formatUsd, MAX_AMOUNT, MICROCENTS_PER_USD, parseUsd, toUsd, type Usd } from './microcents.js'
export { amountIn, describeAmount, parseCount, saturatingAdd, toPublic, UNITS, type Amounts, type Unit } from './units.js'
