/**
 * What applying the log has led to, besides the tree: etcd's state machine over the keys, and the
 * cluster's settings. It is written by the applier and by whoever puts another version in place;
 * everybody else reads. S2: at one applied index it is the same on every replica.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import type { LogIndex } from '../../base/ids.js';
import { SYSTEM_SPACE, type TreeWrite } from '../../storage/base/read-view.js';
import { readTreeSettings, writeTreeSettings, type TreeSettings } from '../../storage/base/settings.js';
import type { Tree } from '../../storage/tree/tree.js';
import { KvMachine } from './kv-machine.js';
import { SYSTEM_KEYS, systemWrite } from './system-keys.js';

export class ReplicatedState {
  readonly #tree: Tree;
  #kv: KvMachine;
  #settings: TreeSettings | undefined;

  constructor(tree: Tree) {
    this.#tree = tree;
    this.#kv = new KvMachine(tree);
  }

  /** Another one after each {@link load}. */
  get kv(): KvMachine {
    return this.#kv;
  }

  /** Of the cluster's tree; undefined until the bootstrap entry is applied. */
  get settings(): TreeSettings | undefined {
    return this.#settings;
  }

  /** The bootstrap entry is applied: the first one counts. */
  bootstrap(settings: TreeSettings): void {
    this.#settings ??= settings;
  }

  /**
   * As of the flushed index of the version that is in place. Throws StorageError, CodecError: it is
   * as if nothing were loaded.
   */
  load(flushed: LogIndex): void {
    this.#kv = new KvMachine(this.#tree);
    const view = this.#tree.current;
    this.#kv.load(view, flushed);
    assert(this.#kv.appliedIndex === flushed, `S2 the state is as of ${flushed}, not ${this.#kv.appliedIndex}`);
    const cluster = view.get(SYSTEM_SPACE, SYSTEM_KEYS.cluster, flushed);
    this.#settings = cluster ? readTreeSettings(new ByteReader(cluster.value, 'cluster settings')) : undefined;
  }

  /**
   * What the memtable that is sealed at `index` must hold of it, so that a restart finds it again.
   */
  sealWrites(index: LogIndex): TreeWrite[] {
    const writes = [...this.#kv.sealState(index), ...this.#settingsAsOf(index)];
    assert(writes.every(({ revision }) => revision === index), `S2 what is sealed at ${index} is found again as of it`);
    return writes;
  }

  #settingsAsOf(index: LogIndex): TreeWrite[] {
    if (!this.#settings) return [];
    const out = new ByteWriter(64);
    writeTreeSettings(out, this.#settings);
    return [systemWrite(index, SYSTEM_KEYS.cluster, out.finish())];
  }
}
