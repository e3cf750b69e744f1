/**
 * Methods behind what their row of the table of permissions requires. What the row says is asked
 * before the method sees the request, and of a stream again before whatever is written after auth
 * has changed: one that is open when auth is turned on ends at its next answer, unless its caller
 * may.
 */

import type { Caller } from '../../api/caller.js';
import { ReflectedRpc } from '../../api/protos/reflected-rpc.js';
import type { Method, RequestStreamMethod, Sender, ServerCall, ServerStreamMethod, UnaryMethod } from '../../grpc/method.js';
import type { Store } from '../../node/store.js';
import { callerOf } from './caller-of.js';
import { HotMethod } from './hot.js';
import { mustBeChecked, permissionOf, type Permission, type Row } from './permissions.js';

type Guards = Pick<Store, 'access' | 'auth'>;

function require({ access }: Guards, permission: Permission, caller: Caller): void {
  if (permission === 'root') access.requireRoot(caller);
  if (permission === 'user') access.requireUser(caller);
  if (permission === 'name') access.requireName(caller);
  if (permission === 'token') access.requireGoodToken(caller);
}

async function admit(store: Guards, permission: Permission, call: ServerCall): Promise<Caller> {
  const caller = callerOf(call);
  if (caller.mayBeAhead) await store.auth.catchUp(caller);
  require(store, permission, caller);
  return caller;
}

class GuardedUnary implements UnaryMethod {
  readonly kind = 'unary';
  readonly refusable: boolean;
  readonly #method: UnaryMethod;
  readonly #store: Guards;
  readonly #row: Row;
  readonly #rpc: ReflectedRpc | undefined;

  constructor(path: string, method: UnaryMethod, store: Guards, row: Row) {
    this.refusable = method.refusable;
    this.#method = method;
    this.#store = store;
    this.#row = row;
    const [, service = '', name = ''] = path.split('/');
    this.#rpc = typeof row === 'function' ? new ReflectedRpc(service, name, 'read') : undefined;
  }

  async handle(request: Uint8Array, call: ServerCall): Promise<Uint8Array> {
    const row = this.#row;
    await admit(this.#store, typeof row === 'function' ? row(this.#rpc?.decodeRequest(request) ?? {}) : row, call);
    return this.#method.handle(request, call);
  }
}

class GuardedSender implements Sender {
  readonly #out: Sender;
  readonly #store: Guards;
  readonly #permission: Permission;
  readonly #caller: Caller;
  #epoch: string;

  constructor(out: Sender, store: Guards, permission: Permission, caller: Caller) {
    this.#out = out;
    this.#store = store;
    this.#permission = permission;
    this.#caller = caller;
    this.#epoch = store.access.epoch;
  }

  get cancelled(): boolean {
    return this.#out.cancelled;
  }

  onCancel(fn: () => void): void {
    this.#out.onCancel(fn);
  }

  async write(message: Uint8Array): Promise<void> {
    const { epoch } = this.#store.access;
    if (epoch !== this.#epoch) {
      require(this.#store, this.#permission, this.#caller);
      this.#epoch = epoch;
    }
    return this.#out.write(message);
  }
}

class GuardedStream implements ServerStreamMethod {
  readonly kind = 'server-stream';
  readonly #method: ServerStreamMethod;
  readonly #store: Guards;
  readonly #permission: Permission;

  constructor(method: ServerStreamMethod, store: Guards, permission: Permission) {
    this.#method = method;
    this.#store = store;
    this.#permission = permission;
  }

  async handle(request: Uint8Array, out: Sender, call: ServerCall): Promise<void> {
    const caller = await admit(this.#store, this.#permission, call);
    return this.#method.handle(request, new GuardedSender(out, this.#store, this.#permission, caller), call);
  }
}

/** What the store checks by the request, and did not, is not answered while auth is on. */
class CheckedUnary implements UnaryMethod {
  readonly kind = 'unary';
  readonly refusable: boolean;
  readonly #path: string;
  readonly #method: UnaryMethod;
  readonly #store: Guards;

  constructor(path: string, method: UnaryMethod, store: Guards) {
    this.refusable = method.refusable;
    this.#path = path;
    this.#method = method;
    this.#store = store;
  }

  async handle(request: Uint8Array, call: ServerCall): Promise<Uint8Array> {
    const caller = callerOf(call);
    const answer = await this.#method.handle(request, call);
    if (this.#store.access.enabled) mustBeChecked(this.#path, caller);
    return answer;
  }
}

/** The same of each answer of a stream. */
class CheckedSender implements Sender {
  readonly #path: string;
  readonly #out: Sender;
  readonly #store: Guards;
  readonly #caller: Caller;

  constructor(path: string, out: Sender, store: Guards, caller: Caller) {
    this.#path = path;
    this.#out = out;
    this.#store = store;
    this.#caller = caller;
  }

  get cancelled(): boolean {
    return this.#out.cancelled;
  }

  onCancel(fn: () => void): void {
    this.#out.onCancel(fn);
  }

  write(message: Uint8Array): Promise<void> {
    try {
      if (this.#store.access.enabled) mustBeChecked(this.#path, this.#caller);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return this.#out.write(message);
  }
}

class CheckedServerStream implements ServerStreamMethod {
  readonly kind = 'server-stream';
  readonly #path: string;
  readonly #method: ServerStreamMethod;
  readonly #store: Guards;

  constructor(path: string, method: ServerStreamMethod, store: Guards) {
    this.#path = path;
    this.#method = method;
    this.#store = store;
  }

  handle(request: Uint8Array, out: Sender, call: ServerCall): Promise<void> {
    return this.#method.handle(request, new CheckedSender(this.#path, out, this.#store, callerOf(call)), call);
  }
}

class CheckedRequestStream implements RequestStreamMethod {
  readonly kind: RequestStreamMethod['kind'];
  readonly #path: string;
  readonly #method: RequestStreamMethod;
  readonly #store: Guards;

  constructor(path: string, method: RequestStreamMethod, store: Guards) {
    this.kind = method.kind;
    this.#path = path;
    this.#method = method;
    this.#store = store;
  }

  handle(requests: AsyncIterable<Uint8Array>, out: Sender, call: ServerCall): Promise<void> {
    return this.#method.handle(requests, new CheckedSender(this.#path, out, this.#store, callerOf(call)), call);
  }
}

function checked(path: string, method: Method, store: Guards): Method {
  switch (method.kind) {
    case 'unary': return method instanceof HotMethod ? method : new CheckedUnary(path, method, store);
    case 'server-stream': return new CheckedServerStream(path, method, store);
    case 'client-stream':
    case 'bidi': return new CheckedRequestStream(path, method, store);
  }
}

/** Throws if the method has no row, or one that cannot be kept for a method of its kind. */
export function guarded(path: string, method: Method, store: Guards): Method {
  const row = permissionOf(path);
  if (row === 'anyone') return method;
  if (row === 'store') return checked(path, method, store);
  if (method.kind === 'unary') return new GuardedUnary(path, method, store, row);
  if (method.kind === 'server-stream' && typeof row !== 'function') return new GuardedStream(method, store, row);
  throw new Error(`${path}: a ${method.kind} method is checked by the store, by each request`);
}
