// The door of 'bursar/server': the service over HTTP.

export { createServer, type BursarServer, type ListenOptions, type ServerClosed } from './create-server.js'
export type { ServerApp } from './app.js'
export type { Caller, CallerFacts, Role } from './caller.js'
export type { ApiKey, IssuedKey, KeyBook, NewKey } from './keys/index.js'
export type { FetchHandler, ServerAddress } from './http/listening.js'
export type { ServerConfig } from './server-config.js'
export type { ServerLog, ServerMetrics } from './service.js'
