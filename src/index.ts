/** The package: a member inside your own process. The client is `kintsugi/client`. */

export { openNode, type NodeHooks, type OpenedNode } from './server/node.js';
export { buildConfig, type NodeConfig } from './server/options/config.js';
export { parseOptions } from './server/options/parse.js';
export { UsageError } from './server/options/spec.js';
export type { NodeStatus, Store } from './node/store.js';
export { EtcdError } from './api/etcd-error.js';
