/**
 * A member inside an application's own process, with the client's whole interface and no client
 * port: `import { openNode } from 'kintsugi'`. Alone it opens no socket at all; a member of a
 * cluster talks to the others as every member does.
 *
 *     await using node = await openNode({ dataDir: './data' });
 *     await node.client.put('greeting', 'hello');
 *
 *     const cluster = { a: 'http://10.0.0.1:2380', b: 'http://10.0.0.2:2380', c: 'http://10.0.0.3:2380' };
 *     await using node = await openNode({ dataDir: './data', name: 'a', cluster });
 */

import { assert } from '../base/assert.js';
import type { EventSink } from '../base/events.js';
import type { AuthOptions, Client } from '../client/client.js';
import type { NodeStatus, Store } from '../node/store.js';
import { openNode as openServerNode, type OpenedNode } from '../server/node.js';
import { buildConfig, type NodeConfig } from '../server/options/config.js';
import { parseOptions } from '../server/options/parse.js';
import { LocalClients } from './local-clients.js';

export interface OpenNodeOptions {
  /** Where its files are; made if it is not there. One process at a time. */
  readonly dataDir: string;
  /** Default `default`, as etcd's. */
  readonly name?: string;
  /**
   * With whom the cluster begins, this member among them: names and peer URLs. Equal for all
   * members. Default: this one alone.
   */
  readonly cluster?: Readonly<Record<string, string>>;
  /** Where it listens for its peers. Default: where `cluster` says that it is found. */
  readonly listenPeerUrls?: readonly string[];
  /**
   * Any further flag of `kintsugi start`, by its name: `{ 'quota-backend-bytes': 2 ** 30 }`.
   * Neither the environment nor a configuration file is looked at.
   */
  readonly flags?: Readonly<Record<string, string | number | boolean>>;
  /** They hear of everything that happens inside. */
  readonly events?: readonly EventSink[];
}

/** So long a member alone waits to lead, in ms: nobody else would. */
const ALONE_MS = 30_000;

export class EmbeddedNode implements AsyncDisposable {
  /** As over the network. In the name of the application: nothing is forbidden to it. */
  readonly client: Client;
  /** The API below it. */
  readonly store: Store;
  readonly #node: OpenedNode;
  readonly #clients: LocalClients;
  readonly #failed: AbortController;
  #closing: Promise<void> | undefined;

  /** Use {@link openNode}. */
  constructor(node: OpenedNode, clients: LocalClients, failed: AbortController) {
    this.#node = node;
    this.#clients = clients;
    this.#failed = failed;
    this.store = node.store;
    this.client = clients.owner();
  }

  /**
   * Aborted when the member cannot go on: its `reason` says why. Close it then; what its data
   * directory needs is the same as for `kintsugi start`. With the flag `auto-recover`, a reason of
   * code READMISSION means that opening it again is all that it needs.
   */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** From local state alone: useful without a quorum. */
  status(): NodeStatus {
    return this.store.status();
  }

  /** Where auth is on: what that user may do. */
  clientAs(auth: AuthOptions): Client {
    return this.#clients.as(auth);
  }

  /** Hands leadership over, ends what is open with CANCELLED, and closes all files and sockets. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { leader, memberId } = this.store;
    // What stands in the way of it must not stand in the way of an orderly end.
    if (leader === memberId && !this.failed.aborted) await this.#node.transferLeadership().catch(() => false);
    this.#clients.close();
    await this.#node.stop();
  }
}

/**
 * Opens the data directory and takes part; a member alone is ready at once. Rejects with UsageError
 * for options that make no sense, and as `kintsugi start` refuses a data directory.
 */
export async function openNode(options: OpenNodeOptions): Promise<EmbeddedNode> {
  const config = configOf(options);
  const failed = new AbortController();
  const onFatal = (error: unknown): void => failed.abort(error);
  const node = await openServerNode(config, { events: options.events ?? [], onFatal });
  const clients = new LocalClients(node.store, { maxRequestBytes: config.limits.request, bcryptCost: config.bcryptCost });
  const embedded = new EmbeddedNode(node, clients, failed);
  try {
    if (config.members.length === 1 && !config.existing) await node.store.checkLinearizable(ALONE_MS);
    return embedded;
  } catch (error) {
    await embedded.close();
    throw error;
  }
}

/** Throws UsageError. */
function configOf({ dataDir, name, cluster, listenPeerUrls, flags = {} }: OpenNodeOptions): NodeConfig {
  const all: Record<string, string | number | boolean> = { ...flags, 'data-dir': dataDir };
  if (name !== undefined) all['name'] = name;
  if (cluster !== undefined) {
    all['initial-cluster'] = Object.entries(cluster).map(([member, url]) => `${member}=${url}`).join(',');
    const own = cluster[name ?? 'default'];
    if (own !== undefined) {
      all['initial-advertise-peer-urls'] = own;
      all['listen-peer-urls'] = own;
    }
  }
  if (listenPeerUrls !== undefined) all['listen-peer-urls'] = listenPeerUrls.join(',');
  const parsed = parseOptions(Object.entries(all).map(([flag, value]) => `--${flag}=${value}`), {});
  const config = buildConfig(parsed);
  const alone = cluster === undefined && !('listen-peer-urls' in all);
  assert(!alone || config.members.length === 1, 'a member without a cluster is alone');
  return { ...config, advertiseClientUrls: [], listenPeerUrls: alone ? [] : config.listenPeerUrls };
}
