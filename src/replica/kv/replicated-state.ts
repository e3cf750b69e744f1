/**
 * What applying the log has led to, besides the tree: etcd's state machine over the keys, and the
 * cluster's settings. It is written by the applier and by whoever puts another version in place;
 * everybody else reads. S2: at one applied index it is the same on every replica.
 */

import { assert, must } from '../../base/assert.js';
import { ByteReader, ByteWriter, equalBytes, fromUtf8 } from '../../base/bytes.js';
import type { ClusterVersion, LogIndex } from '../../base/ids.js';
import { SYSTEM_SPACE, type ReadView, type TreeWrite } from '../../storage/base/read-view.js';
import { readTreeSettings, writeTreeSettings, type TreeSettings } from '../../storage/base/settings.js';
import type { Tree } from '../../storage/tree/tree.js';
import { codeOf } from '../../base/errors.js';
import { ReplicaError } from '../base/errors.js';
import { FIRST_VERSION, NEWEST_VERSION, VERSION_2 } from '../base/protocol.js';
import type { Members } from '../state/members.js';
import { readMembers, writeMembers } from '../state/members-codec.js';
import type { Membership } from '../state/membership.js';
import { Alarms } from './alarms.js';
import { KvMachine } from './kv-machine.js';
import { SLICE_KEYS } from './pace.js';
import { SYSTEM_KEYS, systemKeysAtFounding, systemTombstone, systemWrite } from './system-keys.js';

export class ReplicatedState {
  readonly newest: ClusterVersion;
  readonly #tree: Tree;
  readonly #sliceKeys: number;
  readonly #membership: Membership | undefined;
  #kv: KvMachine;
  #settings: TreeSettings | undefined;
  /** Only grows. */
  #version: ClusterVersion = FIRST_VERSION;
  #alarms = new Alarms();

  /**
   * `newest`: what this program knows. `sliceKeys`: as the state machine has it. `membership`: is
   * kept over restarts too.
   */
  constructor(tree: Tree, newest: ClusterVersion = NEWEST_VERSION, sliceKeys = SLICE_KEYS, membership?: Membership) {
    this.#tree = tree;
    this.#membership = membership;
    this.newest = newest;
    this.#sliceKeys = sliceKeys;
    this.#kv = new KvMachine(tree, { sliceKeys });
  }

  /** Another one after each {@link load}. */
  get kv(): KvMachine {
    return this.#kv;
  }

  /** Of the cluster's tree; undefined until the bootstrap entry is applied. */
  get settings(): TreeSettings | undefined {
    return this.#settings;
  }

  /** What may be written: every member can read it. */
  get version(): ClusterVersion {
    return this.#version;
  }

  /** Another one after each {@link load}. Written by the applier. */
  get alarms(): Alarms {
    return this.#alarms;
  }

  /** The entry that raises it is applied: one that comes late changes nothing. */
  raise(version: ClusterVersion): void {
    assert(version <= this.newest, `S1 version ${version} of the cluster is known here: up to ${this.newest}`);
    this.#version = Math.max(this.#version, version);
  }

  /** The bootstrap entry is applied: the first one counts. */
  bootstrap(settings: TreeSettings): void {
    this.#settings ??= settings;
  }

  /**
   * As of the flushed index of the version that is in place. Throws StorageError, CodecError, and
   * ReplicaError CLUSTER_NEWER: it is as if nothing were loaded.
   */
  load(flushed: LogIndex): void {
    this.#kv = new KvMachine(this.#tree, { sliceKeys: this.#sliceKeys });
    const view = this.#tree.current;
    this.#kv.load(view, flushed);
    assert(this.#kv.appliedIndex === flushed, `S2 the state is as of ${flushed}, not ${this.#kv.appliedIndex}`);
    const cluster = view.get(SYSTEM_SPACE, SYSTEM_KEYS.cluster, flushed);
    this.#settings = cluster ? readTreeSettings(new ByteReader(cluster.value, 'cluster settings')) : undefined;
    const version = versionIn(view, flushed);
    if (version > this.newest) throw tooOld(version, this.newest);
    const members = version >= VERSION_2 ? membersIn(view, flushed) : undefined;
    this.#version = version;
    const alarms = view.get(SYSTEM_SPACE, SYSTEM_KEYS.alarms, flushed);
    this.#alarms = alarms !== undefined && !alarms.tombstone ? Alarms.decode(alarms.value) : new Alarms();
    this.#membership?.load(flushed, members);
  }

  /**
   * The members as of the flushed index, as far as they can be read without a peer's help: before
   * there is a state, a member must know whom to ask. {@link load} says for certain.
   */
  peekMembers(flushed: LogIndex): void {
    if (flushed === 0) return;
    try {
      const view = this.#tree.current;
      if (versionIn(view, flushed) >= VERSION_2) this.#membership?.load(flushed, membersIn(view, flushed));
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
    }
  }

  /**
   * What the memtable that is sealed at `index` must hold of it, so that a restart finds it again.
   */
  sealWrites(index: LogIndex): TreeWrite[] {
    const writes = [...this.#kv.sealState(index), ...this.#settingsAsOf(index)];
    assert(writes.every(({ revision }) => revision === index), `S2 what is sealed at ${index} is found again as of it`);
    return writes;
  }

  /**
   * The first state of a new cluster, as of the entry after all that was applied: each system key
   * as its word says (`system-keys.ts`). `bump`: how much higher the revision becomes; above 0, all
   * before is compacted then. `compacted`: all before is, in any case.
   */
  foundingWrites(index: LogIndex, bump: number, compacted = false): TreeWrite[] {
    const sealed = this.sealWrites(index);
    const renewed = this.#kv.foundingState(index, bump, compacted);
    const writes: TreeWrite[] = [];
    for (const { key, word } of systemKeysAtFounding()) {
      const write = (word === 'renewed' ? renewed : sealed).find((one) => equalBytes(one.key, key));
      if (word !== 'forgotten') writes.push(must(write, `S2 ${fromUtf8(key)} is part of a state with settings`));
      else if (write ?? this.#tree.current.get(SYSTEM_SPACE, key, index)) writes.push(systemTombstone(index, key));
    }
    return writes;
  }

  #settingsAsOf(index: LogIndex): TreeWrite[] {
    if (!this.#settings) return [];
    const out = new ByteWriter(64);
    writeTreeSettings(out, this.#settings);
    const version = new ByteWriter(8).varint(this.#version).finish();
    const writes = [systemWrite(index, SYSTEM_KEYS.cluster, out.finish()), systemWrite(index, SYSTEM_KEYS.version, version)];
    if (this.#version >= VERSION_2) writes.push(systemWrite(index, SYSTEM_KEYS.alarms, this.#alarms.encode()));
    const members = this.#membership?.applied;
    if (members === undefined || members.isStatic) return writes;
    assert(this.#version >= VERSION_2, `S1 members are state from version 2 on, not in version ${this.#version}`);
    return [...writes, systemWrite(index, SYSTEM_KEYS.members, writeMembers(new ByteWriter(256), members).finish())];
  }
}

function versionIn(view: ReadView, flushed: LogIndex): ClusterVersion {
  const raised = view.get(SYSTEM_SPACE, SYSTEM_KEYS.version, flushed);
  return raised ? new ByteReader(raised.value, 'cluster version').varint() : FIRST_VERSION;
}

/** Undefined: they are those of the flags, as in a cluster that was restored from a backup. */
function membersIn(view: ReadView, flushed: LogIndex): Members | undefined {
  const found = view.get(SYSTEM_SPACE, SYSTEM_KEYS.members, flushed);
  return found && !found.tombstone ? readMembers(new ByteReader(found.value, 'members')) : undefined;
}

function tooOld(version: ClusterVersion, newest: ClusterVersion): ReplicaError {
  return new ReplicaError(
    'CLUSTER_NEWER',
    `the cluster writes version ${version}, and this program knows versions up to ${newest}: start this member with a newer program. ` +
      'Its data directory is as it was',
    { version, newest },
  );
}
