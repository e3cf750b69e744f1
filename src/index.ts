/** The package: a member inside your own process. The client is `kintsugi/client`. */

export { openNode, type EmbeddedNode, type OpenNodeOptions } from './embed/open-node.js';
export { UsageError } from './server/options/spec.js';
export type { NodeStatus, Store } from './node/store.js';
export { EtcdError } from './api/etcd-error.js';
