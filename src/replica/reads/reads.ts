/**
 * May this read be answered now, and from which version? Here, and nowhere else, that is decided.
 *
 *   1. No read is answered while the gate is closed: the version in place was opened or installed,
 *      and what it needs of the log is not applied yet (`serve-gate.ts`).
 *   2. R4 A linearizable read waits until this member has applied the index that was committed when
 *      it arrived, as a round of heartbeats confirms (`read-index.ts`). A serializable one does
 *      not.
 *   3. The gate may have closed meanwhile: the read waits there again. It needs no new round,
 *      because the gate opens no earlier than at what readers have seen.
 *   4. It is answered from the newest version whose tables are all here (`tree.current`), or from a
 *      view that is pinned while it goes on in slices.
 *   5. A block that cannot be read is mended, and the read begins again once the gate is open:
 *      another version may have been installed meanwhile. Only when no member has a good copy does
 *      it fail, and only this read (D1).
 */

import type { Caller } from '../../api/caller.js';
import type { RangeRequest, RangeResponse, RequestOp, TxnRequest, TxnResponse } from '../../api/requests.js';
import { EtcdError } from '../../api/etcd-error.js';
import { assert } from '../../base/assert.js';
import { drive } from '../../base/drive.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { LogIndex, TableId } from '../../base/ids.js';
import { StorageError } from '../../storage/base/errors.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { TreeView } from '../../storage/tree/tree-view.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import type { KvCommand } from '../kv/command.js';
import { rangeOne, readRange, type StoreState } from '../kv/range.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import { isSerializableTxn, readTxn } from '../kv/txn.js';
import { validateCommand, validateRange } from '../kv/validate.js';
import type { Progress } from '../state/progress.js';
import type { ReadIndex } from './read-index.js';
import type { ServeGate } from './serve-gate.js';

export interface ReadsParts {
  readonly env: Pick<Env, 'workers'>;
  readonly tree: Pick<Tree, 'current' | 'view' | 'materialized'>;
  readonly state: Pick<ReplicatedState, 'kv' | 'access'>;
  readonly progress: Pick<Progress, 'applied'>;
  readonly healing: Pick<HealingHooks, 'repair'>;
  readonly gate: ServeGate;
  readonly readIndex: ReadIndex;
}

const REPAIR_ATTEMPTS = 64;

export class Reads {
  readonly #parts: ReadsParts;
  readonly #maxTxnOps: number | undefined;

  /** `maxTxnOps`: as `validateTxn` has it. */
  constructor(parts: ReadsParts, maxTxnOps?: number) {
    this.#parts = parts;
    this.#maxTxnOps = maxTxnOps;
    parts.progress.applied.subscribe((index) => this.applied(index));
  }

  /**
   * Whether what is here may be read at this very moment: another version may take its place at any
   * later one.
   */
  get open(): boolean {
    return this.#parts.gate.isOpen;
  }

  /**
   * Lets go the reads whose index is applied (R4), but none while the gate is closed: after a
   * snapshot a read index may be below what the new version needs.
   */
  applied(index: LogIndex): void {
    const { gate, readIndex, progress } = this.#parts;
    assert(index === progress.applied.value, 'R4 readers are told of what is applied');
    gate.applied(index);
    if (gate.isOpen) readIndex.applied(index);
  }

  /**
   * Whether the caller may is asked at the moment as of which it is read. Rejects with EtcdError.
   */
  async range(request: RangeRequest, caller?: Caller): Promise<RangeResponse> {
    validateRange(request);
    if (!request.serializable || !this.open) {
      do await this.#admitted(request.serializable);
      while (!this.open);
    }
    this.#parts.state.kv.counts.ranges++;
    const op: RequestOp = { kind: 'range', request };
    if (request.rangeEnd.length > 0) return this.#sliced((view, state) => readRange(view, request, state), op, caller);
    const { tree, state } = this.#parts;
    state.access.require(caller, op);
    try {
      return rangeOne(tree.current, request, state.kv.state());
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      await this.#mend(error);
      return this.#sliced((view, now) => readRange(view, request, now), op, caller);
    }
  }

  /**
   * Resolves when what was committed before the call is applied here and may be read, at this very
   * moment (R4). Rejects with EtcdError.
   */
  async linearizable(): Promise<void> {
    do await this.#admitted(false);
    while (!this.open);
  }

  /**
   * Of what is applied here, once it may be read, from a pinned view; from the beginning again
   * after a repair. Rejects with EtcdError.
   */
  async local<T>(make: (view: TreeView, state: StoreState) => Generator<void, T>): Promise<T> {
    do await this.#admitted(true);
    while (!this.open);
    return this.#sliced(make);
  }

  /** Resolves when what is here may be read, at this very moment. Rejects with EtcdError. */
  async serializable(): Promise<void> {
    while (!this.open) await this.#admitted(true);
  }

  /** Of a transaction that only reads, as {@link range}. Rejects with EtcdError. */
  async txn(request: TxnRequest, caller?: Caller): Promise<TxnResponse> {
    const op: RequestOp & KvCommand = { kind: 'txn', request };
    validateCommand(op, this.#maxTxnOps);
    do await this.#admitted(isSerializableTxn(request));
    while (!this.open);
    const { counts } = this.#parts.state.kv;
    return this.#sliced((view, state) => readTxn(view, request, state, undefined, counts), op, caller);
  }

  /** What applying the command needs is read ahead: unreadable everywhere means DATA_LOSS. */
  async prefetch(command: KvCommand): Promise<void> {
    await this.#sliced((view) => this.#parts.state.kv.prefetch(view, command));
  }

  /**
   * Resolves when all that was committed before the call is applied here. Rejects with EtcdError.
   */
  confirm(): Promise<void> {
    return this.#parts.readIndex.wait();
  }

  tick(): void {
    this.#parts.readIndex.tick();
    this.#parts.gate.tick();
  }

  stop(): void {
    this.#parts.readIndex.stop();
    this.#parts.gate.stop();
  }

  async #admitted(serializable: boolean): Promise<void> {
    const { gate, readIndex } = this.#parts;
    const early = gate.wait();
    if (early) await early;
    if (serializable) return;
    await readIndex.wait();
    // A snapshot may have been installed meanwhile.
    const later = gate.wait();
    if (later) await later;
  }

  /** Runs sliced work over a pinned view; from the start again after a repair. */
  async #sliced<T>(make: (view: TreeView, state: StoreState) => Generator<void, T>, op?: RequestOp, caller?: Caller): Promise<T> {
    const { env, tree, state } = this.#parts;
    for (let attempt = 0; ; attempt++) {
      if (op !== undefined) state.access.require(caller, op);
      const view = tree.view();
      try {
        const driven = drive(make(view, state.kv.state()), env.workers.reading ?? env.workers);
        return driven instanceof Promise ? await driven : driven;
      } catch (error) {
        if (!(error instanceof StorageError) || attempt >= REPAIR_ATTEMPTS) throw error;
        await this.#mend(error);
      } finally {
        view.release();
      }
    }
  }

  /** On return what is here may be read again, and the block is good or no longer read. */
  async #mend(error: StorageError): Promise<void> {
    await this.#repair(error);
    const { gate } = this.#parts;
    for (let wait = gate.wait(); wait; wait = gate.wait()) await wait;
    assert(gate.isOpen, 'R4 nothing is read of a version whose log is not applied');
  }

  async #repair(error: StorageError): Promise<void> {
    try {
      await this.#parts.healing.repair(error);
    } catch (cause) {
      // What was asked for in vain is no longer read: the next attempt reads what took its place.
      const { tableId } = error.data;
      if (typeof tableId === 'number' && !this.#isRead(tableId)) return;
      if (codeOf(cause) === 'DATA_LOSS') throw cause;
      throw new EtcdError('UNHEALTHY', messageOf(cause), cause);
    }
  }

  /** Whether views taken from now on read it. */
  #isRead(table: TableId): boolean {
    return this.#parts.tree.materialized.has(table);
  }
}
