/**
 * The replicated key-value state machine: applies log entries to the tree. S2: what it does is a
 * function of the entries applied before, and of nothing else; so is every refusal.
 *
 * An entry's changes are gathered in an overlay, in slices; then they go into the tree, in slices
 * too, where nobody sees them; and all of them are published at the very end and at once, together
 * with the new revision and the id that makes it apply once. If a read throws (a block beyond
 * repair), nothing was changed, and the same entry is applied again after repair. All reads come
 * before the first change, so what has begun to go in does not fail.
 */

import { assert, unreachable } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { LogIndex, NodeId, Revision } from '../../base/ids.js';
import {
  SYSTEM_SPACE, USER_SPACE, type ReadView, type ReadableTree, type TreeWrite,
} from '../../storage/base/read-view.js';
import { VersionSlot } from '../../storage/base/version-slot.js';
import { EtcdError } from '../../api/etcd-error.js';
import { AppliedIds, type ProposalId } from './applied-ids.js';
import { DONE, DUPLICATE, EVICTED, outcomeOf, type ApplyOutcome } from './apply-outcome.js';
import type { LeaseChanges } from './lease-changes.js';
import type { LeaseNews } from './lease-news.js';
import { Leases, revoke, type LeaseUpdate } from './leases.js';
import { deleteOne, deleteRange, keyValueOf, leaseChangesOfPut, leaseCheck, put, recordOfPut, type WriteRules } from './operations.js';
import { OpCounts } from './op-counts.js';
import { Overlay, tombstone } from './overlay.js';
import { Pace, SLICE_KEYS } from './pace.js';
import { Publication } from './publication.js';
import { RecentRevisions } from './recent-revisions.js';
import type { StoreState } from './range.js';
import { ResponseBudget } from './response-budget.js';
import { SYSTEM_KEYS, systemWrite } from './system-keys.js';
import { TxnRun } from './txn.js';
import { isLeased } from './value-record.js';
import type { CommandResponse, KvCommand, KvResponse } from './command.js';
import type { CompactionRequest, DeleteRangeRequest, PutRequest } from '../../api/requests.js';

export interface KvMachineOptions {
  /** Keys looked at between two yields. Default {@link SLICE_KEYS}. */
  readonly sliceKeys?: number;
  /** Is told of what entries do to leases. Default: one that nobody reads. */
  readonly leaseNews?: LeaseNews;
  /** Is told of each revision. Default: one that nobody reads. */
  readonly recent?: RecentRevisions;
}

const FORMAT = 1;
export class KvMachine {
  readonly #tree: ReadableTree;
  readonly #sliceKeys: number;
  readonly leases: Leases;
  readonly counts = new OpCounts();
  readonly #rules: WriteRules;
  readonly #publication: Publication;
  /**
   * -1 before the first compaction, as in etcd: revision 0 can be compacted once. Only grows, and
   * compacted <= revision.
   */
  #compacted = -1;
  #appliedIds = new AppliedIds();
  /** Only grows. */
  #appliedIndex: LogIndex = 0;
  /** An entry is applied in slices: its overlay is not published yet. */
  #applying = false;
  /** What was looked up last. */
  readonly #found = new VersionSlot();
  /** What {@link state} gave, until the compact revision changes; a newer revision shows. */
  #state: StoreState | undefined;

  constructor(tree: ReadableTree, options: KvMachineOptions = {}) {
    this.#tree = tree;
    this.#sliceKeys = options.sliceKeys ?? SLICE_KEYS;
    this.leases = new Leases(tree, options.leaseNews);
    this.#rules = { leases: this.leases };
    this.#publication = new Publication(tree, this.#sliceKeys, options.recent ?? new RecentRevisions());
  }

  get revision(): Revision {
    return this.#publication.revision;
  }

  /** 0 before the first compaction. What a plan's GC revision may be at most. */
  get compactRevision(): Revision {
    return Math.max(0, this.#compacted);
  }

  /** The last entry that was applied here. Entries of other kinds do not count. */
  get appliedIndex(): LogIndex {
    return this.#appliedIndex;
  }

  /** An entry is applied in slices: what is here is as of neither side of it. */
  get applying(): boolean {
    return this.#applying;
  }

  /** What goes with a view pinned at the same moment. Never changes afterwards. */
  state(): StoreState {
    const { revision } = this;
    if (this.#state?.revision === revision) return this.#state;
    return (this.#state = { revision, compactRevision: this.compactRevision });
  }

  /**
   * Was this proposal applied (or refused at apply) already? Says nothing about entries not yet
   * applied.
   */
  classify(id: ProposalId): 'new' | 'duplicate' | 'evicted' {
    return this.#appliedIds.classify(id);
  }

  /** The newest life of this member of which a proposal was applied here; 0: none. */
  incarnationOf(member: NodeId): number {
    return this.#appliedIds.incarnationOf(member);
  }

  /** For the entry that removes a member. */
  retireMember(member: NodeId): void {
    this.#appliedIds.retire(member);
  }

  /**
   * Applies in slices; drive it to its end: there is one at a time. Throws StorageError when a
   * block cannot be read; nothing was changed then. Call {@link tryApplyFast} first: most entries
   * need no slices.
   */
  *apply(
    index: LogIndex,
    id: ProposalId | undefined,
    command: KvCommand,
    wantResponse: boolean,
  ): Generator<void, ApplyOutcome> {
    const fast = this.tryApplyFast(index, id, command, wantResponse);
    if (fast !== undefined) return fast;
    const view = this.#tree.view();
    this.#applying = true;
    try {
      const overlay = new Overlay(view, this.revision + 1);
      const budget = new ResponseBudget(wantResponse);
      const pace = new Pace(this.#sliceKeys);
      let outcome: ApplyOutcome;
      try {
        outcome = outcomeOf(yield* this.#evaluate(overlay, command, budget, pace), budget);
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        this.#finish(index, id);
        return { kind: 'refused', error };
      }
      yield* this.#publication.sliced(overlay.take(), pace, overlay.leases, index);
      this.leases.published(overlay.leases);
      this.counts.add(overlay.ops);
      this.#finish(index, id);
      return outcome;
    } finally {
      this.#applying = this.#publication.staging;
      view.release();
    }
  }

  /**
   * Applies at once what needs no slices: a put, the delete of one key, a compaction, a grant and
   * checkpoints of leases. Undefined: use {@link apply}.
   */
  tryApplyFast(
    index: LogIndex,
    id: ProposalId | undefined,
    command: KvCommand,
    wantResponse: boolean,
  ): ApplyOutcome | undefined {
    assert(!this.#applying, 'S2 entries are applied one after the other');
    assert(index > this.#appliedIndex, `S2 entries are applied in order: ${index} after ${this.#appliedIndex}`);
    if (id !== undefined) {
      const known = this.#appliedIds.classify(id);
      if (known !== 'new') return this.#skip(index, known);
    }
    let outcome: ApplyOutcome;
    try {
      if (command.kind === 'put') outcome = this.#applyPut(index, command.request, wantResponse);
      else if (command.kind === 'delete-range' && command.request.rangeEnd.length === 0) {
        outcome = this.#applyDeleteOne(index, command.request, wantResponse);
      } else if (command.kind === 'compact') outcome = this.#applyCompaction(command.request, wantResponse);
      else if (command.kind === 'lease-grant' || command.kind === 'lease-checkpoint') outcome = this.#applyLease(index, command, wantResponse);
      else return undefined;
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      outcome = { kind: 'refused', error };
    }
    this.#finish(index, id);
    return outcome;
  }

  /** Carries out once what changes other replicated state than keys; EtcdErrors refuse it. */
  applyOther(index: LogIndex, id: ProposalId, work: () => CommandResponse): ApplyOutcome {
    assert(!this.#applying, 'S2 entries are applied one after the other');
    assert(index > this.#appliedIndex, `S2 entries are applied in order: ${index} after ${this.#appliedIndex}`);
    const known = this.#appliedIds.classify(id);
    if (known !== 'new') return this.#skip(index, known);
    let outcome: ApplyOutcome;
    try {
      outcome = { kind: 'done', response: work() };
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      outcome = { kind: 'refused', error };
    }
    this.#finish(index, id);
    return outcome;
  }

  /** Refused for what the log said before; it counts as applied, as every refusal does. */
  refuse(index: LogIndex, id: ProposalId, error: EtcdError): ApplyOutcome {
    return this.applyOther(index, id, () => {
      throw error;
    });
  }

  #skip(index: LogIndex, known: 'duplicate' | 'evicted'): ApplyOutcome {
    this.#appliedIndex = index;
    return known === 'duplicate' ? DUPLICATE : EVICTED;
  }

  #finish(index: LogIndex, id: ProposalId | undefined): void {
    assert(index > this.#appliedIndex, 'S2 an entry is applied once');
    assert(this.#compacted <= this.revision, 'S2 nothing is compacted that is yet to come');
    if (id !== undefined) this.#appliedIds.record(id);
    this.#appliedIndex = index;
  }

  #applyPut(index: LogIndex, request: PutRequest, wantResponse: boolean): ApplyOutcome {
    leaseCheck(request, this.#rules);
    const revision = this.revision + 1;
    const prev = this.#live(request.key) ? this.#found : undefined;
    const value = recordOfPut(request, prev, revision);
    const liveDelta = prev === undefined ? 1 : 0;
    const write = { space: USER_SPACE, key: request.key, revision, sub: 0, tombstone: false, liveDelta, value } as const;
    this.#publishWith(leaseChangesOfPut(request, prev), [write], index);
    this.counts.puts++;
    if (!wantResponse) return DONE;
    const prevKv = request.prevKv && prev !== undefined ? keyValueOf(request.key, prev) : undefined;
    return { kind: 'done', response: { kind: 'put', response: { revision, prevKv } } };
  }

  /** Is the key live? Its newest version is in {@link #found} then: until the next key is asked. */
  #live(key: Uint8Array): boolean {
    return this.#tree.current.find(USER_SPACE, key, this.revision, this.#found) && !this.#found.tombstone;
  }

  #publishWith(changes: LeaseChanges | undefined, writes: readonly TreeWrite[], index: LogIndex): void {
    this.#publication.now(writes, changes, index);
    if (changes !== undefined) this.leases.published(changes);
  }

  #applyLease(index: LogIndex, command: LeaseUpdate, wantResponse: boolean): ApplyOutcome {
    this.#publishWith(this.leases.changesOf(command), [], index);
    return wantResponse ? { kind: 'done', response: { kind: command.kind, response: { revision: this.revision } } } : DONE;
  }

  #applyDeleteOne(index: LogIndex, request: DeleteRangeRequest, wantResponse: boolean): ApplyOutcome {
    const live = this.#live(request.key);
    const { valueBytes, valueAt } = this.#found;
    if (live && (request.prevKv || isLeased(valueBytes, valueAt))) return this.#applyDeleteWithPrev(index, request, wantResponse);
    if (live) this.#publication.now([tombstone(request.key, this.revision + 1, 0)]);
    this.counts.deletes++;
    if (!wantResponse) return DONE;
    const response = { revision: this.revision, deleted: live ? 1 : 0, prevKvs: [] };
    return { kind: 'done', response: { kind: 'delete-range', response } };
  }

  #applyDeleteWithPrev(index: LogIndex, request: DeleteRangeRequest, wantResponse: boolean): ApplyOutcome {
    const overlay = new Overlay(this.#tree.current, this.revision + 1);
    const response = deleteOne(overlay, request, new ResponseBudget(wantResponse));
    const few = overlay.take().few(1);
    assert(few !== undefined, 'the delete of one key needs no slices');
    this.#publishWith(overlay.leases, few, index);
    this.counts.add(overlay.ops);
    return response === undefined ? DONE : { kind: 'done', response: { kind: 'delete-range', response } };
  }

  #applyCompaction(request: CompactionRequest, wantResponse: boolean): ApplyOutcome {
    if (request.revision <= this.#compacted) throw new EtcdError('COMPACTED');
    if (request.revision > this.revision) throw new EtcdError('FUTURE_REVISION');
    this.#compacted = request.revision;
    this.#state = undefined;
    if (!wantResponse) return DONE;
    return { kind: 'done', response: { kind: 'compact', response: { revision: this.revision } } };
  }

  *#evaluate(
    overlay: Overlay,
    command: KvCommand,
    budget: ResponseBudget,
    pace: Pace,
  ): Generator<void, KvResponse | undefined> {
    switch (command.kind) {
      case 'put': {
        const response = put(overlay, command.request, this.#rules, budget);
        return response && { kind: 'put', response };
      }
      case 'delete-range': {
        const response = yield* deleteRange(overlay, command.request, budget, pace);
        return response && { kind: 'delete-range', response };
      }
      case 'txn': {
        const run = new TxnRun(overlay, this.state(), this.#rules, budget, pace);
        const response = yield* run.run(command.request);
        return response && { kind: 'txn', response };
      }
      case 'lease-revoke':
        yield* revoke(overlay, this.leases, command.request.id, pace);
        return { kind: 'lease-revoke', response: { revision: overlay.changed ? overlay.revision : this.revision } };
      case 'compact':
      case 'lease-grant':
      case 'lease-checkpoint': return undefined;
      default: return unreachable(command);
    }
  }

  /**
   * Reads what applying `command` would read if it were applied now, so that a block beyond repair
   * shows (StorageError) before the command is proposed. `view` must be pinned at this moment,
   * unless the command is one put.
   */
  *prefetch(view: ReadView, command: KvCommand): Generator<void, void> {
    if (this.tryPrefetchFast(view, command)) return;
    try {
      const overlay = new Overlay(view, this.revision + 1);
      yield* this.#evaluate(overlay, command, new ResponseBudget(true), new Pace(this.#sliceKeys));
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
    }
  }

  /** True: read at once, nothing more to do. Throws StorageError. */
  tryPrefetchFast(view: ReadView, command: KvCommand): boolean {
    if (command.kind === 'compact' || command.kind === 'lease-grant' || command.kind === 'lease-checkpoint') return true;
    if (command.kind === 'txn' || command.kind === 'lease-revoke' || (command.kind === 'delete-range' && command.request.rangeEnd.length > 0)) return false;
    view.find(USER_SPACE, command.request.key, this.revision, this.#found);
    return true;
  }

  /**
   * What the caller writes into the memtable right before it is sealed at `index`: this state as of
   * `index`.
   */
  sealState(index: LogIndex): TreeWrite[] {
    assert(!this.#applying && index >= this.#appliedIndex, `S2 sealed at ${index}, applied ${this.#appliedIndex}`);
    return stateWrites(index, this.revision, this.#compacted, this.#appliedIds);
  }

  /**
   * The same for the first state of a new cluster, in which nobody has proposed anything. With a
   * `bump` its revision is so much higher, and all before it is `compacted`; it may be without.
   */
  foundingState(index: LogIndex, bump: number, compacted = bump > 0): TreeWrite[] {
    assert(!this.#applying && index >= this.#appliedIndex && bump >= 0, `S2 founded at ${index}, applied ${this.#appliedIndex}`);
    const revision = this.revision + bump;
    return stateWrites(index, revision, compacted || bump > 0 ? revision : this.#compacted, new AppliedIds());
  }

  /**
   * Back to the state as of `atIndex`, the flushed index: at restart and after a snapshot. Throws
   * CodecError, StorageError.
   */
  load(view: ReadView, atIndex: LogIndex): void {
    assert(!this.#applying, 'S2 nothing is being applied while state is loaded');
    const kv = view.get(SYSTEM_SPACE, SYSTEM_KEYS.kv, atIndex);
    const ids = view.get(SYSTEM_SPACE, SYSTEM_KEYS.appliedIds, atIndex);
    if ((kv === undefined) !== (ids === undefined)) throw new CodecError('the state machine was sealed in part');
    let revision = 1;
    let compacted = -1;
    let appliedIds = new AppliedIds();
    if (kv !== undefined && ids !== undefined) {
      const input = new ByteReader(kv.value, 'state of the key-value machine');
      const format = input.u8();
      if (format !== FORMAT) throw new CodecError(`state of the key-value machine: format ${format} is not supported`);
      revision = input.varint();
      compacted = input.varint() - 1;
      input.end();
      if (revision < 1 || compacted > revision) throw new CodecError('state of the key-value machine: revisions');
      const idsInput = new ByteReader(ids.value, 'applied ids');
      appliedIds = AppliedIds.decode(idsInput);
      idsInput.end();
    }
    this.#publication.load(revision);
    this.#compacted = compacted;
    this.#appliedIds = appliedIds;
    this.#appliedIndex = atIndex;
    this.#state = undefined;
  }
}

function stateWrites(index: LogIndex, revision: Revision, compacted: number, appliedIds: AppliedIds): TreeWrite[] {
  const kv = new ByteWriter(16).u8(FORMAT).varint(revision).varint(compacted + 1);
  const ids = new ByteWriter(64);
  appliedIds.encode(ids);
  return [systemWrite(index, SYSTEM_KEYS.kv, kv.finish()), systemWrite(index, SYSTEM_KEYS.appliedIds, ids.finish())];
}
