// Real Redis servers for tests, alone, as a cluster or with sentinels, and a line to them that can fail.

export { RedisCluster, startCluster, type ClusterNode } from './cluster.js'
export { monitorCommands } from './monitor.js'
export { isScript, TcpProxy, tcpProxy } from './proxy.js'
export { startSentinel, type RedisSentinel } from './sentinel.js'
export { RedisServer, startRedis, type RedisServerOptions } from './server.js'
export { sharedRedis, type SharedRedis } from './shared.js'
export { until } from './until.js'
