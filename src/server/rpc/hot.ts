/**
 * Serves methods that are called often, with codecs by hand: bytes to a request, the request to the
 * store, its response to bytes. A write that is too large is refused here, unread.
 */

import { must } from '../../base/assert.js';
import { drive } from '../../base/drive.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { Handlers, Rpc } from '../../api/rpc.js';
import { encodeHeaderPrefix } from '../../api/wire/encode-response.js';
import { NodeWorkers } from '../env/node-env.js';
import type { Store } from '../../node/store.js';
import type { Caller } from '../../api/caller.js';
import type { Method, ServerCall, UnaryMethod } from '../../grpc/method.js';
import { callerOf } from './caller-of.js';
import { mustBeChecked } from './permissions.js';

/** All methods of the process share its turns. */
const workers = new NodeWorkers();

export interface RequestLimits {
  /** Bytes of a write request as it goes into the log. etcd's `--max-request-bytes`. */
  readonly maxRequestBytes: number;
}

/** Asks itself whether what it answers was checked. */
export class HotMethod<Request, Response> implements UnaryMethod {
  readonly kind = 'unary';
  readonly refusable: boolean;
  readonly #rpc: Rpc<Request, Response, unknown>;
  readonly #answer: (request: Request, caller: Caller) => Promise<Response>;
  readonly #store: Store;
  /** What the header of each response begins with. */
  readonly #prefix: Uint8Array;
  readonly #maxBytes: number;

  constructor(
    rpc: Rpc<Request, Response, unknown>, answer: (request: Request, caller: Caller) => Promise<Response>, store: Store, prefix: Uint8Array,
    limits: RequestLimits,
  ) {
    this.refusable = rpc.effect === 'read';
    this.#rpc = rpc;
    this.#answer = answer;
    this.#store = store;
    this.#prefix = prefix;
    this.#maxBytes = rpc.effect === 'write' ? limits.maxRequestBytes : Infinity;
  }

  async handle(bytes: Uint8Array, call: ServerCall): Promise<Uint8Array> {
    if (bytes.length > this.#maxBytes) throw new EtcdError('REQUEST_TOO_LARGE');
    const caller = callerOf(call);
    const response = await this.#answer(this.#rpc.decodeRequest(bytes), caller);
    mustBeChecked(this.#rpc.path, caller);
    const { term } = this.#store;
    const slices = this.#rpc.encodeInSlices?.(this.#prefix, term, response);
    return slices === undefined ? this.#rpc.encodeResponse(this.#prefix, term, response) : drive(slices, workers);
  }
}

/** Adds all methods of a service to the table. */
export function addHot<S extends object>(
  table: Map<string, Method>, service: S, handlers: Handlers<S>, store: Store, limits: RequestLimits,
): void {
  const prefix = encodeHeaderPrefix(store.clusterId, BigInt(store.memberId));
  const answers = new Map<string, (request: unknown, caller: Caller) => Promise<unknown>>(Object.entries(handlers));
  for (const [name, rpc] of Object.entries(service) as [string, Rpc<unknown, unknown>][]) {
    table.set(rpc.path, new HotMethod(rpc, must(answers.get(name), `a handler of ${rpc.path}`), store, prefix, limits));
  }
}
