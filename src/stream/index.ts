// The door of the room: streamed calls, and what the pieces of known providers say of their cost.

export { meterStream, MeteredStream, type MeterOptions } from './metered-stream.js'
export { assertReader, openStream, type StreamCall, type StreamOptions } from './open-stream.js'
export { anthropicReader } from './readers/anthropic.js'
export { anyReader } from './readers/any.js'
export { openaiReader } from './readers/openai.js'
export type { StreamReader, StreamReading } from './reading.js'
