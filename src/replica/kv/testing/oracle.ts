/**
 * etcd's semantics once more, as plainly as can be: an array of states, one per revision, each a
 * sorted array of live keys. Slow and obvious; written from etcd's documented behaviour and not
 * from the machine it judges.
 */

import { EtcdError } from '../../../api/etcd-error.js';
import type { KvCommand, KvResponse } from '../command.js';
import type {
  Compare, KeyValue, PutRequest, RangeRequest, RangeResponse, RequestOp, ResponseOp, TxnRequest, TxnResponse,
} from '../../../api/requests.js';

type State = readonly KeyValue[];

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

function inRange(key: string, from: string, end: string): boolean {
  if (end === '') return key === from;
  return key >= from && (end === '\0' || key < end);
}

export class Oracle {
  /** `#states[r]` is what revision r shows; 0 is unused. */
  readonly #states: State[] = [[], []];
  #compacted = -1;
  /** TTL, and the milliseconds that the log says are left. */
  readonly leases = new Map<bigint, { ttl: number; remainingMs: number }>();

  get revision(): number {
    return this.#states.length - 1;
  }

  apply(command: KvCommand): KvResponse {
    switch (command.kind) {
      case 'put':
      case 'delete-range': {
        const op: RequestOp = command;
        if (op.kind === 'put') this.#checkLease(op.request.lease);
        this.#checkPuts([op]);
        const { next, response } = this.#run([op], []);
        this.#publish(next);
        return response[0] as KvResponse;
      }
      case 'txn': return { kind: 'txn', response: this.txn(command.request) };
      case 'compact': {
        const at = command.request.revision;
        if (at <= this.#compacted) throw new EtcdError('COMPACTED');
        if (at > this.revision) throw new EtcdError('FUTURE_REVISION');
        this.#compacted = at;
        return { kind: 'compact', response: { revision: this.revision } };
      }
      case 'lease-grant': {
        const { id, ttl } = command.request;
        if (this.leases.has(id)) throw new EtcdError('LEASE_EXISTS');
        this.leases.set(id, { ttl, remainingMs: 0 });
        return { kind: command.kind, response: { revision: this.revision } };
      }
      case 'lease-revoke': {
        const { id } = command.request;
        if (!this.leases.delete(id)) throw new EtcdError('LEASE_NOT_FOUND');
        const left = this.#live().filter((kv) => kv.lease !== id);
        if (left.length < this.#live().length) this.#publish(left);
        return { kind: command.kind, response: { revision: this.revision } };
      }
      case 'lease-checkpoint': {
        for (const { id, remainingMs } of command.request.checkpoints) {
          const lease = this.leases.get(id);
          if (lease !== undefined && remainingMs <= lease.ttl * 1000) lease.remainingMs = remainingMs;
        }
        return { kind: command.kind, response: { revision: this.revision } };
      }
      default: throw new Error('unknown command');
    }
  }

  txn(request: TxnRequest): TxnResponse {
    const path: boolean[] = [];
    this.#choose(request, path);
    const chosen = this.#flatten(request, [...path]);
    this.#checkPuts(chosen);
    for (const op of chosen) if (op.kind === 'range') this.#at(op.request.revision);
    const { next, response } = this.#run(path[0] === true ? request.success : request.failure, path.slice(1));
    this.#publish(next);
    return { revision: this.revision, succeeded: path[0] === true, responses: response };
  }

  range(request: RangeRequest): RangeResponse {
    return this.#range(request, this.#live(), this.revision);
  }

  #live(): State {
    return this.#states[this.revision] as State;
  }

  #publish(next: State | undefined): void {
    if (next !== undefined) this.#states.push(next);
  }

  #at(revision: number): number | undefined {
    if (revision <= 0) return undefined;
    if (revision > this.revision) throw new EtcdError('FUTURE_REVISION');
    if (revision < this.#compacted) throw new EtcdError('COMPACTED');
    return revision;
  }

  #range(request: RangeRequest, newest: State, shown: number): RangeResponse {
    const at = request.revision <= 0 ? undefined : request.revision;
    if (at !== undefined) this.#at(at);
    const state = at === undefined ? newest : (this.#states[at] as State);
    const all = state.filter((kv) => inRange(text(kv.key), text(request.key), text(request.rangeEnd)));
    const count = all.length;
    if (request.countOnly) return { revision: shown, kvs: [], more: false, count };
    const filters = [request.minModRevision, request.maxModRevision, request.minCreateRevision, request.maxCreateRevision];
    const everything = request.sortOrder !== 'none' || filters.some((f) => f !== 0);
    let kvs = everything || request.limit <= 0 ? [...all] : all.slice(0, request.limit + 1);
    kvs = kvs.filter(
      (kv) =>
        (request.minModRevision === 0 || kv.modRevision >= request.minModRevision) &&
        (request.maxModRevision === 0 || kv.modRevision <= request.maxModRevision) &&
        (request.minCreateRevision === 0 || kv.createRevision >= request.minCreateRevision) &&
        (request.maxCreateRevision === 0 || kv.createRevision <= request.maxCreateRevision),
    );
    const rank = (kv: KeyValue): string | number =>
      ({ key: text(kv.key), version: kv.version, create: kv.createRevision, mod: kv.modRevision, value: text(kv.value), unknown: '' })[
        request.sortTarget
      ];
    const sign = request.sortOrder === 'descend' ? -1 : 1;
    if (everything || request.sortTarget !== 'key') {
      if (request.sortOrder !== 'none' || request.sortTarget !== 'key') {
        kvs.sort((a, b) => sign * (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
      }
    }
    const more = request.limit > 0 && kvs.length > request.limit;
    if (more) kvs = kvs.slice(0, request.limit);
    if (request.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: new Uint8Array(0) }));
    return { revision: shown, kvs, more, count };
  }

  #compare(compare: Compare): boolean {
    const found = this.#live().filter((kv) => inRange(text(kv.key), text(compare.key), text(compare.rangeEnd)));
    if (found.length === 0) {
      if (compare.target.kind === 'value') return false;
      found.push({
        key: compare.key, createRevision: 0, modRevision: 0, version: 0, value: new Uint8Array(0), lease: 0n,
      });
    }
    return found.every((kv) => {
      const target = compare.target;
      const [a, b] =
        target.kind === 'version' ? [kv.version, target.version]
        : target.kind === 'create' ? [kv.createRevision, target.revision]
        : target.kind === 'mod' ? [kv.modRevision, target.revision]
        : target.kind === 'lease' ? [kv.lease, target.lease]
        : target.kind === 'value' ? [text(kv.value), text(target.value)]
        : [0, 0];
      if (compare.result === 'equal') return a === b;
      if (compare.result === 'not-equal') return a !== b;
      if (compare.result === 'greater') return a > b;
      if (compare.result === 'less') return a < b;
      return true;
    });
  }

  #choose(request: TxnRequest, path: boolean[]): void {
    const yes = request.compare.every((compare) => this.#compare(compare));
    path.push(yes);
    for (const op of yes ? request.success : request.failure) if (op.kind === 'txn') this.#choose(op.request, path);
  }

  #flatten(request: TxnRequest, path: boolean[]): RequestOp[] {
    const ops = path.shift() === true ? request.success : request.failure;
    return ops.flatMap((op) => (op.kind === 'txn' ? this.#flatten(op.request, path) : [op]));
  }

  #checkPuts(ops: readonly RequestOp[]): void {
    for (const op of ops) {
      if (op.kind !== 'put') continue;
      const missing = !this.#live().some((kv) => text(kv.key) === text(op.request.key));
      if ((op.request.ignoreValue || op.request.ignoreLease) && missing) throw new EtcdError('KEY_NOT_FOUND');
      this.#checkLease(op.request.lease);
    }
  }

  #checkLease(lease: bigint): void {
    if (lease !== 0n && !this.leases.has(lease)) throw new EtcdError('LEASE_NOT_FOUND');
  }

  /** In their order. */
  keysOf(lease: bigint): string[] {
    return this.#live().filter((kv) => kv.lease === lease).map((kv) => text(kv.key));
  }

  #run(ops: readonly RequestOp[], path: boolean[]): { next: State | undefined; response: ResponseOp[] } {
    const before = this.revision;
    let state = this.#live();
    let changed = false;
    const shown = (): number => (changed ? before + 1 : before);
    const put = (request: PutRequest): ResponseOp => {
      const old = state.find((kv) => text(kv.key) === text(request.key));
      /**
       * Only after a delete to the end of the space before it in the same transaction; etcd panics
       * there.
       */
      if (old === undefined && (request.ignoreValue || request.ignoreLease)) throw new EtcdError('KEY_NOT_FOUND');
      const kv: KeyValue = {
        key: request.key,
        createRevision: old?.createRevision ?? before + 1,
        modRevision: before + 1,
        version: (old?.version ?? 0) + 1,
        value: request.ignoreValue && old !== undefined ? old.value : request.value,
        lease: request.ignoreLease && old !== undefined ? old.lease : request.lease,
      };
      state = [...state.filter((other) => other !== old), kv].sort((a, b) => (text(a.key) < text(b.key) ? -1 : 1));
      changed = true;
      return { kind: 'put', response: { revision: before + 1, prevKv: request.prevKv ? old : undefined } };
    };
    const one = (op: RequestOp): ResponseOp => {
      switch (op.kind) {
        case 'put': return put(op.request);
        case 'range': return { kind: 'range', response: this.#range(op.request, state, shown()) };
        case 'delete-range': {
          const { key, rangeEnd, prevKv } = op.request;
          const gone = state.filter((kv) => inRange(text(kv.key), text(key), text(rangeEnd)));
          state = state.filter((kv) => !gone.includes(kv));
          changed ||= gone.length > 0;
          return { kind: 'delete-range', response: { revision: shown(), deleted: gone.length, prevKvs: prevKv ? gone : [] } };
        }
        case 'txn': {
          const yes = path.shift() === true;
          const responses = (yes ? op.request.success : op.request.failure).map(one);
          return { kind: 'txn', response: { revision: 0, succeeded: yes, responses } };
        }
        case 'empty':
        default: throw new Error('refused by validation');
      }
    };
    const response = ops.map(one);
    return { next: changed ? state : undefined, response };
  }
}
