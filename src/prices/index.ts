// The door of bursar/prices: the price book on the catalog of @pydantic/genai-prices. Apart from bursar itself, which loads no catalog.

import { PriceBook, type PricesConfig } from '../pricing/index.js'
import { catalog } from './catalog.js'

/**
 * A price book with the prices of @pydantic/genai-prices, and those of `config` above them. Throws `InvalidConfigError` for prices that
 * are not well-formed.
 */
export function priceBook(config: PricesConfig = {}): PriceBook {
  return new PriceBook(config, catalog)
}
