/**
 * A Store in memory with etcd's visible semantics for puts, gets, deletes, txns and compaction: the
 * services are tested against it without a cluster. Linear and slow on purpose; for tests only.
 */

import { EMPTY, compareBytes } from '../../base/bytes.js';
import { Deferred } from '../../base/deferred.js';
import type { Caller } from '../../api/caller.js';
import { EtcdError } from '../../api/etcd-error.js';
import { FakeAuth } from './fake-auth.js';
import type { BackupPiece } from '../../replica/backup/backups.js';
import type { ScrubReport, ScrubStatus } from '../../healing/status/scrub-status.js';
import type { MemberChange } from '../../replica/state/members.js';
import type { KvHash } from '../../replica/kv/hash-kv.js';
import { leasesOf } from '../../replica/auth/needs.js';
import { Alarms, type Alarm, type AlarmChange } from '../../replica/kv/alarms.js';
import type { MemberInfo, NodeStatus, Store } from '../../node/store.js';
import type {
  CompactionRequest, CompactionResponse, Compare, DeleteRangeRequest, DeleteRangeResponse, KeyValue, PutRequest,
  PutResponse, RangeRequest, RangeResponse, RequestOp, ResponseOp, TxnRequest, TxnResponse,
} from '../../api/requests.js';
import type { WatchOptions, WatchSession } from '../../api/services/watch.js';
import type { DowngradeAction } from '../../replica/downgrades.js';
import { FakeLeases } from './fake-leases.js';
import { FakeWatch } from './fake-watch.js';

interface Version {
  readonly revision: number;
  readonly kv: KeyValue | undefined;
}

const NO_KV: KeyValue = { key: EMPTY, createRevision: 0, modRevision: 0, version: 0, value: EMPTY, lease: 0n };

export class FakeStore implements Store {
  readonly memberId = 0x1001;
  readonly clusterId = 0xc1n;
  readonly auth = new FakeAuth();
  readonly access = this.auth.access;
  readonly lease = new FakeLeases(this.access);
  term = 3;
  leader = 0x1001;
  /** When set, every KV call is refused with it. */
  refusal: EtcdError | undefined;
  /** Of {@link backup}: how long it is, and what came of it. */
  readonly backups = { pieces: 2, sent: 0, held: [] as string[], over: new Deferred() };
  readonly watches: FakeWatch[] = [];
  readonly #history = new Map<string, Version[]>();
  readonly #alarms = new Alarms();
  #revision = 1;
  #compacted = 0;

  get hasLeader(): boolean {
    return this.leader !== 0;
  }

  watch(options: WatchOptions = {}): WatchSession {
    if (this.refusal !== undefined) throw this.refusal;
    this.access.requireUser(options.caller);
    const watch = new FakeWatch(options);
    this.watches.push(watch);
    return watch;
  }

  #keys(key: Uint8Array, end: Uint8Array): string[] {
    const names = [...this.#history.keys()].map((name) => Buffer.from(name, 'hex'));
    const open = end.length === 1 && end[0] === 0;
    const inside = names.filter((name) =>
      end.length === 0 ? compareBytes(name, key) === 0 : compareBytes(name, key) >= 0 && (open || compareBytes(name, end) < 0));
    return inside.sort(compareBytes).map((name) => name.toString('hex'));
  }

  #at(name: string, revision: number): KeyValue | undefined {
    return this.#history.get(name)?.findLast((version) => version.revision <= revision)?.kv;
  }

  #live(key: Uint8Array, end: Uint8Array, revision: number): KeyValue[] {
    return this.#keys(key, end).map((name) => this.#at(name, revision)).filter((kv) => kv !== undefined);
  }

  #check(caller: Caller | undefined, op: RequestOp): void {
    this.access.permit(caller)?.request(op);
    this.lease.mayWrite(leasesOf(op), caller);
    this.#refuse();
  }

  #refuse(): void {
    if (this.refusal !== undefined) throw this.refusal;
  }

  async range(q: RangeRequest, caller?: Caller): Promise<RangeResponse> {
    this.#check(caller, { kind: 'range', request: q });
    return this.#range(q);
  }

  #range(q: RangeRequest): RangeResponse {
    if (q.key.length === 0) throw new EtcdError('EMPTY_KEY');
    if (q.revision > this.#revision) throw new EtcdError('FUTURE_REVISION');
    if (q.revision > 0 && q.revision < this.#compacted) throw new EtcdError('COMPACTED');
    const all = this.#live(q.key, q.rangeEnd, q.revision > 0 ? q.revision : this.#revision);
    const base = { revision: this.#revision, count: all.length };
    if (q.countOnly) return { ...base, kvs: [], more: false };
    if (q.sortOrder === 'descend') all.reverse();
    const kvs = q.limit > 0 ? all.slice(0, q.limit) : all;
    return { ...base, kvs: q.keysOnly ? kvs.map((kv) => ({ ...kv, value: EMPTY })) : kvs, more: kvs.length < all.length };
  }

  async put(q: PutRequest, caller?: Caller): Promise<PutResponse> {
    this.#check(caller, { kind: 'put', request: q });
    const response = this.#put(q, this.#revision + 1);
    this.#revision++;
    return response;
  }

  #put(q: PutRequest, revision: number): PutResponse {
    if (q.key.length === 0) throw new EtcdError('EMPTY_KEY');
    if (q.lease !== 0n) this.lease.attach(q.lease, Uint8Array.from(q.key));
    const name = Buffer.from(q.key).toString('hex');
    const old = this.#at(name, revision);
    const kv: KeyValue = {
      key: Uint8Array.from(q.key),
      createRevision: old?.createRevision ?? revision,
      modRevision: revision,
      version: (old?.version ?? 0) + 1,
      value: Uint8Array.from(q.value),
      lease: q.lease,
    };
    this.#add(name, { revision, kv });
    return { revision, prevKv: q.prevKv ? old : undefined };
  }

  #add(name: string, version: Version): void {
    const versions = this.#history.get(name) ?? [];
    versions.push(version);
    this.#history.set(name, versions);
  }

  async deleteRange(q: DeleteRangeRequest, caller?: Caller): Promise<DeleteRangeResponse> {
    this.#check(caller, { kind: 'delete-range', request: q });
    const response = this.#delete(q, this.#revision + 1);
    if (response.deleted > 0) this.#revision++;
    return { ...response, revision: this.#revision };
  }

  #delete(q: DeleteRangeRequest, revision: number): DeleteRangeResponse {
    if (q.key.length === 0) throw new EtcdError('EMPTY_KEY');
    const gone = this.#live(q.key, q.rangeEnd, revision);
    for (const kv of gone) this.#add(Buffer.from(kv.key).toString('hex'), { revision, kv: undefined });
    return { revision, deleted: gone.length, prevKvs: q.prevKv ? gone : [] };
  }

  async txn(q: TxnRequest, caller?: Caller): Promise<TxnResponse> {
    this.#check(caller, { kind: 'txn', request: q });
    const response = this.#txn(q, this.#revision + 1);
    if (response.writes > 0) this.#revision++;
    return { ...response.response, revision: this.#revision };
  }

  #txn(q: TxnRequest, revision: number): { response: TxnResponse; writes: number } {
    const succeeded = q.compare.every((c) => this.#holds(c));
    const responses: ResponseOp[] = [];
    let writes = 0;
    for (const op of succeeded ? q.success : q.failure) writes += this.#op(op, revision, responses);
    return { response: { revision, succeeded, responses }, writes };
  }

  #op(op: RequestOp, revision: number, out: ResponseOp[]): number {
    switch (op.kind) {
      case 'range':
        out.push({ kind: 'range', response: this.#range(op.request) });
        return 0;
      case 'put':
        out.push({ kind: 'put', response: this.#put(op.request, revision) });
        return 1;
      case 'delete-range': {
        const response = this.#delete(op.request, revision);
        out.push({ kind: 'delete-range', response });
        return response.deleted;
      }
      case 'txn': {
        const nested = this.#txn(op.request, revision);
        out.push({ kind: 'txn', response: nested.response });
        return nested.writes;
      }
      case 'empty':
        throw new EtcdError('KEY_NOT_FOUND');
    }
  }

  #holds(c: Compare): boolean {
    const kv = this.#live(c.key, c.rangeEnd, this.#revision)[0];
    if (c.target.kind === 'value' && kv === undefined) return false;
    const order = this.#compare(c, kv ?? NO_KV);
    return c.result === 'equal' ? order === 0 : c.result === 'greater' ? order > 0 : c.result === 'less' ? order < 0 : order !== 0;
  }

  #compare({ target }: Compare, kv: KeyValue): number {
    switch (target.kind) {
      case 'version': return kv.version - target.version;
      case 'create': return kv.createRevision - target.revision;
      case 'mod': return kv.modRevision - target.revision;
      case 'value': return compareBytes(kv.value, target.value);
      case 'lease': return Number(kv.lease - target.lease);
      case 'unknown': return 0;
    }
  }

  async compact(q: CompactionRequest, caller?: Caller): Promise<CompactionResponse> {
    this.access.requireRoot(caller);
    if (q.revision <= this.#compacted) throw new EtcdError('COMPACTED');
    if (q.revision > this.#revision) throw new EtcdError('FUTURE_REVISION');
    this.#compacted = q.revision;
    return { revision: this.#revision };
  }

  members(): readonly MemberInfo[] {
    return [
      { id: 0x1001, name: 'a', peerUrls: ['http://127.0.0.1:1'], clientUrls: ['http://127.0.0.1:2'], isLearner: false },
      { id: 0x1002, name: 'b', peerUrls: ['http://127.0.0.1:3'], clientUrls: [], isLearner: false },
    ];
  }

  /** What was asked for, the newest last. */
  readonly changes: MemberChange[] = [];

  async changeMembers(change: MemberChange): Promise<readonly MemberInfo[]> {
    this.#refuse();
    this.changes.push(change);
    if (change.kind !== 'add') return this.members();
    return [...this.members(), { id: 0x1003, name: '', peerUrls: change.peerUrls, clientUrls: [], isLearner: change.learner }];
  }

  async alarms(): Promise<readonly Alarm[]> {
    return this.#alarms.list();
  }

  activeAlarms(): readonly Alarm[] {
    return this.#alarms.list();
  }

  async changeAlarm(change: Omit<AlarmChange, 'byItself'>): Promise<void> {
    this.#alarms.apply({ ...change, byItself: false });
  }

  async hashKv(revision: number): Promise<KvHash> {
    this.#refuse();
    if (revision > this.#revision) throw new EtcdError('FUTURE_REVISION');
    return { hash: 7, revision: revision > 0 ? revision : this.#revision, compactRevision: this.#compacted };
  }

  async moveLeader(to: number): Promise<void> {
    if (!this.members().some((m) => m.id === to)) throw new EtcdError('BAD_LEADER_TRANSFEREE');
    this.leader = to;
  }

  hints(): NodeStatus['hints'] {
    return [{ tableId: 7, kind: 'corrected', node: 0x1002, state: 'pending', offsets: [4096] }];
  }

  async scrub(onProgress: (status: ScrubStatus) => void): Promise<ScrubReport> {
    onProgress({ ...this.status().scrub, state: 'running', scannedBytes: 50, totalBytes: 100 });
    return { tables: 1, blocks: 4, bytes: 100, faults: 1, pastCache: true, durationMs: 5 };
  }

  async *backup(held?: ReadonlySet<string>): AsyncGenerator<BackupPiece, void, undefined> {
    this.#refuse();
    this.backups.held = [...(held ?? [])];
    try {
      for (let left = this.backups.pieces; left > 0; left--) {
        this.backups.sent++;
        yield { bytes: new Uint8Array(65_536).fill(1), remaining: (left - 1) * 65_536 };
      }
      yield { bytes: new Uint8Array(32).fill(2), remaining: 0 };
    } finally {
      this.backups.over.resolve();
    }
  }

  lowered = false;

  async downgrade(action: DowngradeAction, target: number): Promise<number> {
    this.#refuse();
    if (action === 'cancel') this.lowered = false;
    else if (this.lowered) throw new EtcdError('DOWNGRADE_IN_PROCESS');
    else if (target !== 1) throw new EtcdError('INVALID_DOWNGRADE_TARGET_VERSION');
    else if (action === 'enable') this.lowered = true;
    return this.lowered ? 1 : 2;
  }

  async checkLinearizable(): Promise<void> {
    this.#refuse();
    if (this.leader === 0) throw new EtcdError('NO_LEADER');
  }

  status(): NodeStatus {
    const birth = { term: 1, proposer: 1, sequence: 1, ordinal: 0 };
    return {
      name: 'a', memberId: this.memberId, clusterId: 'c1', role: 'leader', term: this.term, leader: this.leader,
      clusterVersion: 2, newestVersion: 2, storageVersion: 2,
      ...(this.lowered ? { clusterVersion: 1, downgrade: { target: 1, ready: false, waitsFor: 'entry 7' } } : {}),
      commitIndex: 10, appliedIndex: 10, materializedIndex: 8, flushedIndex: 8, firstLogIndex: 1, lastLogIndex: 10,
      revision: this.#revision, compactRevision: this.#compacted, leases: 0,
      operations: { ranges: 4, puts: 3, deletes: 2, txns: 1 },
      watches: { streams: this.watches.length, watchers: 3, slow: 2 }, memtableBytes: 1, sealedMemtables: 0, owedTables: 0,
      authRevision: this.auth.auth.revision, pendingPlans: 0,
      flushes: 0,
      compactions: 0, manifest: { tables: [{ id: 7, level: 0, bytes: 100, digest: 'ab', birth }] }, hints: this.hints(),
      heal: {
        correctedBlocks: 1, transientFaults: 0, uncorrectableBlocks: 0, repairedBlocks: 0, hintsForwarded: 0,
        hintsReceived: 1, healsProposed: 0, healsApplied: 0, healsFailed: 0,
      },
      scrub: {
        state: 'idle', scannedBytes: 0, totalBytes: 100, scannedTables: 0, totalTables: 1, faults: 0, lastCompletedAt: null,
        pastCache: true,
      },
      snapshots: { received: 0, fetchedBytes: 0, reusedBytes: 0, sent: 0, paceBytesPerSecond: 0 },
      fetchedTableBytes: 0, dbBytes: 100, quotaBytes: 0, errors: [], members: this.members(), links: [],
    };
  }
}
