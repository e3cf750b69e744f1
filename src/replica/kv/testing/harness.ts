/** A machine on a tree with consecutive log indices, for tests. */

import type { ApplyOutcome } from '../apply-outcome.js';
import { KvMachine, type KvMachineOptions } from '../kv-machine.js';
import { runToEnd } from './run-to-end.js';
import { range } from '../range.js';
import { readTxn } from '../txn.js';
import { validateCommand, validateRange, validateTxn } from '../validate.js';
import { PackedRange } from '../../../api/wire/packed-range.js';
import { MemoryTree } from './memory-tree.js';
import { command, rangeOf, type putOf, type txnOf } from './requests.js';
import type { ReadableTree } from '../../../storage/base/read-view.js';
import type { ProposalId } from '../applied-ids.js';
import type { KvCommand } from '../command.js';
import type {
  CompactionResponse, DeleteRangeResponse, KeyValue, PutResponse, RangeRequest, RangeResponse, TxnRequest, TxnResponse,
} from '../../../api/requests.js';

export class Harness<T extends ReadableTree = MemoryTree> {
  readonly tree: T;
  readonly machine: KvMachine;
  index = 0;

  constructor(tree: T, options: KvMachineOptions = {}) {
    this.tree = tree;
    this.machine = new KvMachine(tree, options);
  }

  static onMemory(options: KvMachineOptions = {}): Harness {
    return new Harness(new MemoryTree(), options);
  }

  /** Validates and applies; throws what a client would get. */
  run(what: KvCommand): unknown {
    validateCommand(what);
    const outcome = this.apply(what);
    if (outcome.kind === 'refused') throw outcome.error;
    if (outcome.kind !== 'done') throw new Error(outcome.kind);
    return outcome.response?.response;
  }

  apply(what: KvCommand, id?: ProposalId, wantResponse = true): ApplyOutcome {
    return runToEnd(this.machine.apply(++this.index, id, what, wantResponse));
  }

  put(...args: Parameters<typeof putOf>): PutResponse {
    return this.run(command.put(...args)) as PutResponse;
  }

  del(...args: Parameters<typeof command.del>): DeleteRangeResponse {
    return this.run(command.del(...args)) as DeleteRangeResponse;
  }

  txn(...args: Parameters<typeof txnOf>): TxnResponse {
    return this.run(command.txn(...args)) as TxnResponse;
  }

  compact(revision: number): CompactionResponse {
    return this.run(command.compact(revision)) as CompactionResponse;
  }

  range(...args: Parameters<typeof rangeOf>): RangeResponse {
    return this.read(rangeOf(...args));
  }

  read(request: RangeRequest): RangeResponse {
    validateRange(request);
    const view = this.tree.view();
    try {
      return runToEnd(range(view, request, this.machine.state()));
    } finally {
      view.release();
    }
  }

  readTxn(request: TxnRequest): TxnResponse {
    validateTxn(request);
    const view = this.tree.view();
    try {
      return runToEnd(readTxn(view, request, this.machine.state()));
    } finally {
      view.release();
    }
  }
}

/** The code of the refusal that `fn` must end in. */
export function refusal(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'none';
}

/** As text, the same for views and owned bytes. Undefined gives 'undefined'. */
export function plain(value: unknown): string {
  return String(JSON.stringify(value, (key, v: unknown) => {
    if (v instanceof PackedRange) return { revision: v.revision, kvs: v.kvs, more: v.more, count: v.count };
    if (v instanceof Uint8Array) return Buffer.from(v).toString('hex');
    if (typeof v === 'bigint') return `${v}n`;
    if (key === 'kvs' || key === 'prevKvs') return (v as KeyValue[]).map(plainKv);
    return key === 'prevKv' && v !== undefined ? plainKv(v as KeyValue) : v;
  }));
}

function plainKv(kv: KeyValue): string {
  const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');
  return [hex(kv.key), hex(kv.value), kv.createRevision, kv.modRevision, kv.version, kv.lease].join(' ');
}

/** What `fn` gives, as text, or the code of its refusal. */
export function outcome(fn: () => unknown): string {
  let result = '';
  const code = refusal(() => { result = plain(fn()); });
  return code === 'none' ? result : code;
}
