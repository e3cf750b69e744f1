/**
 * What applying the log has led to, besides the tree: etcd's state machine over the keys, and the
 * cluster's settings. It is written by the applier and by whoever puts another version in place;
 * everybody else reads. S2: at one applied index it is the same on every replica.
 */

import { assert, must } from '../../base/assert.js';
import { drive } from '../../base/drive.js';
import type { Workers } from '../../base/env.js';
import { ByteReader, ByteWriter, equalBytes, fromUtf8 } from '../../base/bytes.js';
import type { ClusterVersion, LeaseId, LogIndex } from '../../base/ids.js';
import { SYSTEM_SPACE, type ReadView, type TreeWrite } from '../../storage/base/read-view.js';
import { readTreeSettings, writeTreeSettings, type TreeSettings } from '../../storage/base/settings.js';
import type { Tree } from '../../storage/tree/tree.js';
import { codeOf } from '../../base/errors.js';
import { ReplicaError } from '../base/errors.js';
import { FIRST_VERSION, NEWEST_VERSION } from '../base/protocol.js';
import { asStatic, type Members } from '../state/members.js';
import { readMembers, writeMembers } from '../state/members-codec.js';
import type { Membership } from '../state/membership.js';
import { Access } from '../auth/access.js';
import { AuthState } from '../auth/auth-state.js';
import { leasesOf } from '../auth/needs.js';
import type { Principal } from '../auth/principal.js';
import { SimpleTokens } from '../auth/simple-tokens.js';
import { EtcdError } from '../../api/etcd-error.js';
import { Alarms } from './alarms.js';
import type { AuthCommand } from '../auth/auth-command.js';
import type { ProposalId } from './applied-ids.js';
import { isLeaseCommand, type KvCommand } from './command.js';
import type { ApplyOutcome } from './apply-outcome.js';
import { KvMachine } from './kv-machine.js';
import { LeasedKeysIn } from './leased-keys.js';
import { LeaseNews } from './lease-news.js';
import { decodeLowered, encodeLowered, type Lowered } from './lowered.js';
import { SLICE_KEYS } from './pace.js';
import { RecentRevisions } from './recent-revisions.js';
import { SYSTEM_KEYS, SYSTEM_KEY_SINCE, systemKeysAtFounding, systemTombstone, systemWrite, type SystemKey } from './system-keys.js';

/** Sealed besides what the state machine over the keys says. */
const OWN_KEYS = ['cluster', 'version', 'alarms', 'members', 'leases', 'downgrade', 'auth'] as const satisfies readonly SystemKey[];

export class ReplicatedState {
  readonly newest: ClusterVersion;
  /** Of the keys, for watches; the same one after each {@link load}. */
  readonly recent: RecentRevisions;
  /** Of leases, for the leader; the same one after each {@link load}. */
  readonly leaseNews = new LeaseNews();
  readonly #tree: Tree;
  readonly #sliceKeys: number;
  readonly #membership: Membership | undefined;
  #kv: KvMachine;
  #settings: TreeSettings | undefined;
  /** Grows, but for {@link lower}. */
  #version: ClusterVersion = FIRST_VERSION;
  #lowered: Lowered | undefined;
  /** The next seal says of each key that has no value that it has none. */
  #sweeps = false;
  #alarms = new Alarms();
  /** No replicated state; kept while one version takes another's place. */
  readonly tokens = new SimpleTokens();
  #auth = new AuthState(this.tokens);
  /** What calls of clients may do. */
  readonly access = new Access(this, this.tokens);

  /**
   * `newest`: what this program knows. `sliceKeys`: as the state machine has it. `membership`: is
   * kept over restarts too. `recentBytes`: of revisions that are kept in memory for watches.
   */
  constructor(tree: Tree, newest: ClusterVersion = NEWEST_VERSION, sliceKeys = SLICE_KEYS, membership?: Membership, recentBytes?: number) {
    this.recent = new RecentRevisions(recentBytes);
    this.#tree = tree;
    this.#membership = membership;
    this.newest = newest;
    this.#sliceKeys = sliceKeys;
    this.#kv = new KvMachine(tree, { sliceKeys, recent: this.recent, leaseNews: this.leaseNews });
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

  /** Another one after each {@link load}. Written by the applier. */
  get auth(): AuthState {
    return this.#auth;
  }

  /**
   * Why a command in that name is refused while auth and alarms are what they are: at once, but for
   * one that writes what hangs on a lease. Throws StorageError, or rejects with it.
   */
  refusalOf(command: KvCommand, who: Principal, workers: Pick<Workers, 'breathe'>): EtcdError | undefined | Promise<EtcdError | undefined> {
    return this.#auth.enabled ? drive(this.#refusalNow(command, who), workers) : this.#alarms.refusalOf(command);
  }

  *#refusalNow(command: KvCommand, who: Principal): Generator<void, EtcdError | undefined> {
    const view = this.#tree.view();
    try {
      return yield* this.refusalIn(view, command, who);
    } finally {
      view.release();
    }
  }

  /** The same, in slices, by the leases of a view that was pinned just now. Throws StorageError. */
  *refusalIn(view: ReadView, command: KvCommand, who: Principal): Generator<void, EtcdError | undefined> {
    try {
      if (command.kind === 'compact') this.#auth.checkRoot(who);
      else {
        const permit = this.#auth.permit(who);
        if (!isLeaseCommand(command)) permit?.request(command);
        if (permit !== undefined) yield* permit.leases(leasesWrittenBy(command), new LeasedKeysIn(view));
      }
    } catch (error) {
      if (error instanceof EtcdError) return error;
      throw error;
    }
    return this.#alarms.refusalOf(command);
  }

  /** An entry changes users, roles, or whether auth is on. */
  applyAuth(index: LogIndex, id: ProposalId, who: Principal, change: AuthCommand): ApplyOutcome {
    return this.#kv.applyOther(index, id, () => ({ kind: 'auth', response: this.#auth.apply(index, who, change) }));
  }

  /** Undefined: the version was not lowered, or was raised since. */
  get lowered(): Lowered | undefined {
    return this.#lowered;
  }

  /** The entry that raises it is applied: one that comes late changes nothing. */
  raise(version: ClusterVersion): void {
    assert(version <= this.newest, `S1 version ${version} of the cluster is known here: up to ${this.newest}`);
    if (version <= this.#version) return;
    this.#version = version;
    if (this.#lowered !== undefined) this.#sweeps = true;
    this.#lowered = undefined;
  }

  /**
   * The entry at `index` that lowers the version is applied. A string: why it changes nothing, by
   * the state before it alone (S2).
   */
  lower(target: ClusterVersion, index: LogIndex): string | undefined {
    if (target < FIRST_VERSION || target >= this.#version) return `version ${target} is not below version ${this.#version}`;
    const obstacle = this.obstacle(target);
    if (obstacle !== undefined) return obstacle;
    this.#version = target;
    this.#lowered = { target, at: index, through: index };
    this.#sweeps = true;
    // What is left of it is its revision, which the older version could not keep.
    if (SYSTEM_KEY_SINCE.auth > target) this.#auth = new AuthState(this.tokens);
    const members = this.#membership?.applied;
    if (members === undefined || members.isStatic || SYSTEM_KEY_SINCE.members <= target) return undefined;
    this.#membership?.apply(index, must(asStatic(members), 'S1 what is lowered can be said in the older version'));
    return undefined;
  }

  /** An entry was applied, without effect, that the version does not allow any more. */
  passOver(index: LogIndex): void {
    if (this.#lowered === undefined) return;
    assert(index > this.#lowered.through, `S1 entry ${index} follows ${this.#lowered.through}`);
    this.#lowered = { ...this.#lowered, through: index };
    this.#sweeps = true;
  }

  /** What of the state a lower version could not say; undefined: nothing. */
  obstacle(target: ClusterVersion): string | undefined {
    for (const key of OWN_KEYS) {
      const why = SYSTEM_KEY_SINCE[key] > target ? this.#untold(key) : undefined;
      if (why !== undefined) return why;
    }
    return undefined;
  }

  #untold(key: (typeof OWN_KEYS)[number]): string | undefined {
    switch (key) {
      case 'members':
        if (this.#membership === undefined || asStatic(this.#membership.applied) !== undefined) return undefined;
        return 'members were added, removed or moved, and the older version knows only those that the cluster began with';
      case 'alarms':
        return this.#alarms.list().length === 0 ? undefined : 'an alarm is raised, which the older version does not know: kintsugi ctl alarm list';
      case 'auth':
        return this.#auth.isEmpty ? undefined : 'there are users or roles, which the older version does not know: kintsugi ctl user list, role list';
      case 'leases':
        if (this.#kv.leases.count === 0) return undefined;
        return `there are leases (${this.#kv.leases.count}), which the older version does not know: kintsugi ctl lease list`;
      case 'cluster':
      case 'version':
      case 'downgrade':
        return undefined;
    }
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
    this.#kv = new KvMachine(this.#tree, { sliceKeys: this.#sliceKeys, recent: this.recent, leaseNews: this.leaseNews });
    const view = this.#tree.current;
    this.#kv.load(view, flushed);
    assert(this.#kv.appliedIndex === flushed, `S2 the state is as of ${flushed}, not ${this.#kv.appliedIndex}`);
    const cluster = view.get(SYSTEM_SPACE, SYSTEM_KEYS.cluster, flushed);
    this.#settings = cluster ? readTreeSettings(new ByteReader(cluster.value, 'cluster settings')) : undefined;
    const version = versionIn(view, flushed);
    if (version > this.newest) throw tooOld(version, this.newest);
    const members = version >= SYSTEM_KEY_SINCE.members ? membersIn(view, flushed) : undefined;
    const lowered = valueIn(view, 'downgrade', flushed);
    const alarms = version >= SYSTEM_KEY_SINCE.alarms ? valueIn(view, 'alarms', flushed) : undefined;
    const auth = version >= SYSTEM_KEY_SINCE.auth ? valueIn(view, 'auth', flushed) : undefined;
    // Whoever lost a user or a password in between must not come in with an old token.
    this.tokens.clear();
    this.#auth = auth === undefined ? new AuthState(this.tokens) : AuthState.decode(auth, this.tokens);
    this.#kv.leases.load(version >= SYSTEM_KEY_SINCE.leases ? valueIn(view, 'leases', flushed) : undefined);
    this.#lowered = lowered === undefined ? undefined : decodeLowered(lowered);
    this.#alarms = alarms === undefined ? new Alarms() : Alarms.decode(alarms);
    this.#version = version;
    this.#sweeps = false;
    this.#membership?.load(flushed, members);
  }

  /**
   * The members as of the flushed index, as far as they can be read without a peer's help: before
   * there is a state, a member must know whom to ask. {@link load} says for certain. False: they
   * cannot be read.
   */
  peekMembers(flushed: LogIndex): boolean {
    if (flushed === 0) return true;
    try {
      const view = this.#tree.current;
      if (versionIn(view, flushed) >= SYSTEM_KEY_SINCE.members) this.#membership?.load(flushed, membersIn(view, flushed));
      return true;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return false;
    }
  }

  /**
   * What the memtable that is sealed at `index` must hold of it, so that a restart finds it again.
   * {@link sealed} follows once it is written.
   */
  sealWrites(index: LogIndex): TreeWrite[] {
    const writes = [...this.#kv.sealState(index), ...this.#ownAsOf(index)];
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
    for (const { key, word, since } of systemKeysAtFounding()) {
      const write = (word === 'renewed' ? renewed : sealed).find((one) => equalBytes(one.key, key));
      const isNeeded = (word === 'kept' || word === 'renewed') && since <= this.#version;
      if (isNeeded || (word !== 'forgotten' && write !== undefined)) {
        writes.push(must(write, `S2 ${fromUtf8(key)} is part of a state with settings`));
      } else if (write ?? this.#tree.current.get(SYSTEM_SPACE, key, index)) writes.push(systemTombstone(index, key));
    }
    return writes;
  }

  #ownAsOf(index: LogIndex): TreeWrite[] {
    if (!this.#settings) return [];
    const writes: TreeWrite[] = [];
    for (const key of OWN_KEYS) {
      const value = this.#valueOf(key);
      assert(value === undefined || SYSTEM_KEY_SINCE[key] <= this.#version, `S1 version ${this.#version} does not seal ${key}`);
      if (value !== undefined) writes.push(systemWrite(index, SYSTEM_KEYS[key], value));
      else if (this.#sweeps) writes.push(systemTombstone(index, SYSTEM_KEYS[key]));
    }
    return writes;
  }

  /** What the memtable was given at a seal speaks for all from there on. */
  sealed(): void {
    this.#sweeps = false;
  }

  /** Undefined: there is nothing to say. */
  #valueOf(key: (typeof OWN_KEYS)[number]): Uint8Array | undefined {
    switch (key) {
      case 'cluster': {
        const out = new ByteWriter(64);
        writeTreeSettings(out, must(this.#settings, 'S1 settings come first'));
        return out.finish();
      }
      case 'version':
        return new ByteWriter(8).varint(this.#version).finish();
      case 'alarms':
        return this.#version >= SYSTEM_KEY_SINCE.alarms ? this.#alarms.encode() : undefined;
      case 'members': {
        const members = this.#membership?.applied;
        return members === undefined || members.isStatic ? undefined : writeMembers(new ByteWriter(256), members).finish();
      }
      case 'auth':
        return this.#auth.isUnused ? undefined : this.#auth.encode();
      case 'leases':
        return this.#version >= SYSTEM_KEY_SINCE.leases ? this.#kv.leases.encode() : undefined;
      case 'downgrade':
        return this.#sweeps && this.#lowered !== undefined ? encodeLowered(this.#lowered) : undefined;
    }
  }
}

/** Of which a command writes all keys. Anybody grants; who revokes a lease deletes its keys. */
export function leasesWrittenBy(command: KvCommand): ReadonlySet<LeaseId> {
  if (command.kind === 'lease-revoke') return new Set([command.request.id]);
  return command.kind === 'compact' || isLeaseCommand(command) ? new Set() : leasesOf(command);
}

function valueIn(view: ReadView, key: SystemKey, flushed: LogIndex): Uint8Array | undefined {
  const found = view.get(SYSTEM_SPACE, SYSTEM_KEYS[key], flushed);
  return found && !found.tombstone ? found.value : undefined;
}

function versionIn(view: ReadView, flushed: LogIndex): ClusterVersion {
  const raised = view.get(SYSTEM_SPACE, SYSTEM_KEYS.version, flushed);
  return raised ? new ByteReader(raised.value, 'cluster version').varint() : FIRST_VERSION;
}

/** Undefined: they are those of the flags, as in a cluster that was restored from a backup. */
function membersIn(view: ReadView, flushed: LogIndex): Members | undefined {
  const found = valueIn(view, 'members', flushed);
  return found === undefined ? undefined : readMembers(new ByteReader(found, 'members'));
}

function tooOld(version: ClusterVersion, newest: ClusterVersion): ReplicaError {
  return new ReplicaError(
    'CLUSTER_NEWER',
    `the cluster writes version ${version}, and this program knows versions up to ${newest}: start this member with a newer program. ` +
      'Its data directory is as it was',
    { version, newest },
  );
}
