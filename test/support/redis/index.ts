// Real Redis servers for tests, alone, as a cluster or with sentinels, and a line to them that can fail.

export { RedisCluster, startCluster, type ClusterNode, type RedisClusterOptions } from './cluster.js'
export { monitorCommands, type MonitoredCommands } from './monitor.js'
export { isScript, TcpProxy, tcpProxy, type CommandFilter, type LostReply } from './proxy.js'
export { startSentinel, type RedisSentinel } from './sentinel.js'
export { RedisServer, startRedis, type RedisServerOptions } from './server.js'
export { sharedRedis, type SharedRedis } from './shared.js'
export { until } from './until.js'
