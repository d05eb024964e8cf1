export { FEWEST_STEPS, type SpendSeries } from './burn-rate.js'
export { forecastOf, type EnoughData, type Forecast, type ForecastBase, type ForecastWindow, type NotEnoughData, type Projection, type WindowNow } from './forecast.js'
