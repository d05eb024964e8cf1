export { amountOver, amountOverAtMost, burnRateOf, FEWEST_STEPS, msUntil, type BurnRate, type Rate, type SpendSeries } from './burn-rate.js'
export { forecastOf, type EnoughData, type Forecast, type ForecastBase, type ForecastInput, type ForecastWindow, type NotEnoughData, type Projection, type WindowNow } from './forecast.js'
