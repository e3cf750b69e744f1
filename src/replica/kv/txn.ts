/**
 * How a transaction is carried out, in etcd's order: every compare, also of nested transactions,
 * sees the store as it was before; then every check of the chosen branches; only then do operations
 * run, each seeing those before it. A check that fails refuses the whole, and nothing was changed.
 */

import { assert, unreachable } from '../../base/assert.js';
import { compareBytes } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import { USER_SPACE, type ReadView, type VersionedEntry } from '../../storage/base/read-view.js';
import { EtcdError } from '../../api/etcd-error.js';
import { deleteRange, leaseCheck, put, type WriteRules } from './operations.js';
import { OpCounts } from './op-counts.js';
import { Overlay } from './overlay.js';
import { Pace } from './pace.js';
import { range, rangeTo, readRevision, type StoreState } from './range.js';
import { ResponseBudget, tooLarge } from './response-budget.js';
import { RecordHead, readRecordHead } from './value-record.js';
import type {
  Compare, CompareResult, RequestOp, ResponseOp, TxnRequest, TxnResponse,
} from '../../api/requests.js';

const head = new RecordHead();

function everyOp(request: TxnRequest, holds: (op: RequestOp) => boolean): boolean {
  return request.success.every(holds) && request.failure.every(holds);
}

/** Needs no log entry: neither branch can change anything. */
export function isReadOnlyTxn(request: TxnRequest): boolean {
  return everyOp(request, (op) => op.kind === 'range' || (op.kind === 'txn' && isReadOnlyTxn(op.request)));
}

/**
 * May be answered from local state: it has operations, and all are serializable ranges. (etcd also
 * answers a transaction of compares alone this way; here that one is linearizable.)
 */
export function isSerializableTxn(request: TxnRequest): boolean {
  const serializable = (op: RequestOp): boolean =>
    op.kind === 'range' ? op.request.serializable : op.kind === 'txn' && isSerializableTxn(op.request);
  return request.success.length + request.failure.length > 0 && everyOp(request, serializable);
}

function judge(result: CompareResult, order: number): boolean {
  switch (result) {
    case 'equal': return order === 0;
    case 'not-equal': return order !== 0;
    case 'greater': return order > 0;
    case 'less': return order < 0;
    case 'unknown': return true;
    default: return unreachable(result);
  }
}

/** A missing key has version, revisions and lease 0; its value compares false with everything. */
function holds(compare: Compare, entry: VersionedEntry | undefined): boolean {
  const target = compare.target;
  if (entry !== undefined) readRecordHead(entry.value, entry.revision, head);
  switch (target.kind) {
    case 'version': return judge(compare.result, (entry === undefined ? 0 : head.version) - target.version);
    case 'create': return judge(compare.result, (entry === undefined ? 0 : head.createRevision) - target.revision);
    case 'mod': return judge(compare.result, (entry === undefined ? 0 : entry.revision) - target.revision);
    case 'value':
      if (entry === undefined) return false;
      return judge(compare.result, compareBytes(entry.value.subarray(head.valueAt), target.value));
    case 'lease': {
      const lease = entry === undefined ? 0n : head.lease;
      return judge(compare.result, lease === target.lease ? 0 : lease > target.lease ? 1 : -1);
    }
    case 'unknown': return judge(compare.result, 0);
    default: return unreachable(target);
  }
}

function* compareHolds(view: ReadView, compare: Compare, at: Revision, pace: Pace): Generator<void, boolean> {
  if (compare.rangeEnd.length === 0) {
    const entry = view.get(USER_SPACE, compare.key, at);
    return holds(compare, entry === undefined || entry.tombstone ? undefined : entry);
  }
  const to = rangeTo(compare.rangeEnd);
  let empty = true;
  if (to === undefined || compareBytes(compare.key, to) < 0) {
    for (const entry of view.scan(USER_SPACE, { from: compare.key, to, atRevision: at, tombstones: true })) {
      if (!entry.tombstone) {
        empty = false;
        if (!holds(compare, entry)) return false;
      }
      if (pace.step(entry.value.length)) yield;
    }
  }
  return empty ? holds(compare, undefined) : true;
}

/** One run of a transaction over an overlay. Nothing but the overlay is changed. */
export class TxnRun {
  readonly #overlay: Overlay;
  readonly #state: StoreState;
  readonly #rules: WriteRules;
  readonly #pace: Pace;
  readonly #budget: ResponseBudget;
  /** The branches taken, outermost first, in the order in which the operations are met. */
  readonly #path: boolean[] = [];
  /** The next of them, in each walk over the operations. */
  #at = 0;

  constructor(overlay: Overlay, state: StoreState, rules: WriteRules, budget: ResponseBudget, pace: Pace) {
    this.#overlay = overlay;
    this.#state = state;
    this.#rules = rules;
    this.#budget = budget;
    this.#pace = pace;
  }

  /** Throws EtcdError: refused. The response is undefined unless it was wanted. */
  *run(request: TxnRequest): Generator<void, TxnResponse | undefined> {
    assert(this.#path.length === 0, 'a run is used once');
    yield* this.#choose(request);
    yield* this.#checkAll(request, 'put');
    yield* this.#checkAll(request, 'range');
    this.#at = 0;
    const response = yield* this.#execute(request);
    assert(this.#at === this.#path.length, 'every branch taken was carried out');
    return response === undefined ? undefined : { ...response, revision: this.#revision() };
  }

  #revision(): Revision {
    return this.#overlay.changed ? this.#overlay.revision : this.#state.revision;
  }

  *#choose(request: TxnRequest): Generator<void, void> {
    let succeeded = true;
    for (const compare of request.compare) {
      succeeded = yield* compareHolds(this.#overlay.base, compare, this.#state.revision, this.#pace);
      if (!succeeded) break;
      if (this.#pace.step()) yield;
    }
    this.#path.push(succeeded);
    for (const op of succeeded ? request.success : request.failure) {
      if (op.kind === 'txn') yield* this.#choose(op.request);
    }
  }

  #branch(request: TxnRequest): readonly RequestOp[] {
    assert(this.#at < this.#path.length, `S2 a branch was chosen before it is taken: ${this.#at} of ${this.#path.length}`);
    return this.#path[this.#at++] === true ? request.success : request.failure;
  }

  /** All puts are checked before the first range is. */
  *#checkAll(request: TxnRequest, what: 'put' | 'range'): Generator<void, void> {
    this.#at = 0;
    yield* this.#check(request, what);
  }

  *#check(request: TxnRequest, what: 'put' | 'range'): Generator<void, void> {
    for (const op of this.#branch(request)) {
      if (op.kind === 'txn') yield* this.#check(op.request, what);
      else if (op.kind === 'range' && what === 'range') readRevision(op.request.revision, this.#state);
      else if (op.kind === 'put' && what === 'put') this.#checkPut(op.request);
      if (this.#pace.step()) yield;
    }
  }

  #checkPut(request: Parameters<typeof put>[1]): void {
    if (request.ignoreValue || request.ignoreLease) {
      const entry = this.#overlay.base.get(USER_SPACE, request.key, this.#state.revision);
      if (entry === undefined || entry.tombstone) throw new EtcdError('KEY_NOT_FOUND');
    }
    leaseCheck(request, this.#rules);
  }

  /** A nested response has revision 0: etcd leaves its header empty. */
  *#execute(request: TxnRequest): Generator<void, TxnResponse | undefined> {
    const succeeded = this.#path[this.#at] === true;
    const responses: ResponseOp[] = [];
    for (const op of this.#branch(request)) {
      const response = yield* this.#executeOp(op);
      if (response !== undefined) responses.push(response);
      if (this.#budget.exceeded) responses.length = 0;
      if (this.#pace.step()) yield;
    }
    return this.#budget.wanted ? { revision: 0, succeeded, responses } : undefined;
  }

  *#executeOp(op: RequestOp): Generator<void, ResponseOp | undefined> {
    const budget = this.#budget;
    switch (op.kind) {
      case 'range': {
        this.#overlay.ops.ranges++;
        if (!budget.wanted) return undefined;
        const state = { revision: this.#revision(), compactRevision: this.#state.compactRevision };
        const response = yield* range(this.#overlay, op.request, state, this.#pace, budget);
        return { kind: 'range', response };
      }
      case 'put': {
        const response = put(this.#overlay, op.request, this.#rules, budget);
        return response && { kind: 'put', response };
      }
      case 'delete-range': {
        const response = yield* deleteRange(this.#overlay, op.request, budget, this.#pace);
        return response && { kind: 'delete-range', response };
      }
      case 'txn': {
        const response = yield* this.#execute(op.request);
        return response && { kind: 'txn', response };
      }
      case 'empty': throw new EtcdError('KEY_NOT_FOUND');
      default: return unreachable(op);
    }
  }
}

const NO_WRITES: WriteRules = { leases: new Set() };

/**
 * A read-only transaction over a pinned view, without a log entry. What it has read is added to
 * `counts`. Throws EtcdError.
 */
export function* readTxn(
  view: ReadView,
  request: TxnRequest,
  state: StoreState,
  pace: Pace = new Pace(),
  counts = new OpCounts(),
): Generator<void, TxnResponse> {
  assert(isReadOnlyTxn(request), 'S1 a transaction that writes goes through the log');
  const overlay = new Overlay(view, state.revision + 1);
  const budget = new ResponseBudget(true);
  const response = yield* new TxnRun(overlay, state, NO_WRITES, budget, pace).run(request);
  if (budget.exceeded) throw tooLarge(false);
  counts.add(overlay.ops);
  assert(response !== undefined && !overlay.changed, 'a read-only transaction changes nothing');
  return response;
}
