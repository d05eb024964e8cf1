// API keys. What other rooms use of it.

export { KeyBook, type KeyBookOptions } from './key-book.js'
export type { ApiKey, IssuedKey, NewKey } from './key.js'
