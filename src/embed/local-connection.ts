/**
 * The client's way to a member in the same process: the methods of the client port, behind the same
 * table of permissions, without a port. Requests and answers are encoded as on the wire, so that
 * neither side ever holds the other's memory, and every refusal is said in the same words.
 *
 * Whoever has no token is the application itself, to which nothing is forbidden; who logs in is
 * that user.
 */

import { Caller } from '../api/caller.js';
import type { CallLimits, Connection, Dialer, DuplexCall } from '../client/connection.js';
import { badArgument, ClientError, codeOfStatus, type ClientErrorCode } from '../client/errors.js';
import { ETCD_MESSAGES } from '../api/etcd-error.js';
import { Code } from '../grpc/code.js';
import type { MethodTable, RequestStreamMethod, ServerStreamMethod, UnaryMethod } from '../grpc/method.js';
import { RpcError } from '../grpc/status.js';
import type { Store } from '../node/store.js';
import { statusOf } from '../server/rpc/status.js';
import type { InFlight } from './in-flight.js';
import { LocalCall, Pipe, PipeSender } from './local-call.js';

/** The longest that a timer can wait, in ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** How this process is called among the endpoints of its client. */
export const LOCAL = 'local';

interface MethodOf {
  readonly 'unary': UnaryMethod;
  readonly 'server-stream': ServerStreamMethod;
  readonly 'bidi': RequestStreamMethod;
}

/** What the connections to one member share. */
export interface LocalMember {
  readonly methods: MethodTable;
  readonly store: Pick<Store, 'hasLeader'>;
  readonly inFlight: InFlight;
}

/** What may end a call before its answer. */
class Ending {
  readonly #name: string;
  readonly #limits: CallLimits;
  readonly #calls: Set<Ending>;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #cancel = (): void => this.#give('CANCELLED', 'the call was cancelled or the client is closed');
  #end: ((error: ClientError) => void) | undefined;

  constructor(name: string, limits: CallLimits, calls: Set<Ending>, end: (error: ClientError) => void) {
    this.#name = name;
    this.#limits = limits;
    this.#calls = calls;
    this.#end = end;
    calls.add(this);
    limits.signal?.addEventListener('abort', this.#cancel, { once: true });
    if (limits.deadline !== Infinity) {
      const left = Math.min(Math.max(limits.deadline - Date.now(), 0), MAX_TIMER_MS);
      this.#timer = setTimeout(() => this.#give('DEADLINE_EXCEEDED', 'no answer within the time of the call'), left);
    }
  }

  /** The client is closed. */
  cancel(): void {
    this.#cancel();
  }

  /** The call is over. */
  over(): void {
    this.#end = undefined;
    this.#calls.delete(this);
    clearTimeout(this.#timer);
    this.#limits.signal?.removeEventListener('abort', this.#cancel);
  }

  #give(code: ClientErrorCode, details: string): void {
    const end = this.#end;
    this.over();
    end?.(new ClientError(code, { details, endpoint: this.#name }));
  }
}

export class LocalConnection implements Connection {
  readonly name = LOCAL;
  readonly #member: LocalMember;
  readonly #asOwner: boolean;
  readonly #calls = new Set<Ending>();
  #closed = false;

  /** `asOwner`: calls without a token are the application's. */
  constructor(member: LocalMember, asOwner: boolean) {
    this.#member = member;
    this.#asOwner = asOwner;
  }

  close(): void {
    this.#closed = true;
    for (const call of [...this.#calls]) call.cancel();
  }

  async unary(path: string, request: Uint8Array, limits: CallLimits): Promise<Uint8Array> {
    const method = this.#member.methods.get(path)?.kind === 'bidi' ? this.#method(path, 'bidi', limits) : this.#method(path, 'unary', limits);
    const call = this.#call(limits);
    const { inFlight } = this.#member;
    inFlight.begin();
    return new Promise<Uint8Array>((resolve, reject) => {
      const ending = new Ending(this.name, limits, this.#calls, (error) => {
        call.cancel();
        reject(error);
      });
      const answered = (async () => (method.kind === 'unary' ? method.handle(request, call) : once(method, request, call)))();
      void answered.then(resolve, (error: unknown) => reject(this.#errorOf(error))).finally(() => ending.over());
    }).finally(() => inFlight.end());
  }

  async *serverStream(path: string, request: Uint8Array, limits: CallLimits): AsyncGenerator<Uint8Array, void, undefined> {
    const method = this.#method(path, 'server-stream', limits);
    const call = this.#call(limits);
    const out = new Pipe();
    void method.handle(request, new PipeSender(out, call), call).then(() => out.end(), (error: unknown) => out.end(this.#errorOf(error)));
    yield* this.#read(call, out, limits);
  }

  async duplex(path: string, limits: CallLimits, requireLeader: boolean): Promise<DuplexCall> {
    const method = this.#method(path, 'bidi', limits);
    if (requireLeader && !this.#member.store.hasLeader) throw this.#errorOf(new RpcError(Code.UNAVAILABLE, ETCD_MESSAGES.NO_LEADER));
    const call = this.#call(limits, requireLeader);
    const requests = new Pipe();
    const out = new Pipe();
    call.onCancel(() => requests.break(new RpcError(Code.CANCELLED, 'context canceled')));
    void method.handle(requests, new PipeSender(out, call), call).then(() => out.end(), (error: unknown) => out.end(this.#errorOf(error)));
    return new LocalDuplex(requests, this.#read(call, out, limits));
  }

  async *#read(call: LocalCall, out: Pipe, limits: CallLimits): AsyncGenerator<Uint8Array, void, undefined> {
    const ending = new Ending(this.name, limits, this.#calls, (error) => out.break(error));
    try {
      if (limits.signal?.aborted === true) ending.cancel();
      yield* out;
    } finally {
      ending.over();
      call.cancel();
      out.break();
    }
  }

  #call({ token }: CallLimits, requireLeader = false): LocalCall {
    const metadata = new Map<string, string>();
    const hasToken = token !== undefined && token !== '';
    if (hasToken) metadata.set('token', token);
    if (requireLeader) metadata.set('hasleader', 'true');
    return new LocalCall(metadata, this.#asOwner && !hasToken ? Caller.owner() : undefined);
  }

  /** Throws ClientError: the member never sees the request. */
  #method<Kind extends keyof MethodOf>(path: string, kind: Kind, { signal }: CallLimits): MethodOf[Kind] {
    if (this.#closed || signal?.aborted === true) {
      throw new ClientError('CANCELLED', { details: 'the call was cancelled or the client is closed', endpoint: this.name, unsent: true });
    }
    const method = this.#member.methods.get(path);
    if (method?.kind !== kind) throw new ClientError('UNIMPLEMENTED', { details: `unknown method ${path}`, endpoint: this.name, unsent: true });
    return method as MethodOf[Kind];
  }

  #errorOf(error: unknown): ClientError {
    const { code, details } = statusOf(error);
    return new ClientError(codeOfStatus(code), { details, endpoint: this.name, cause: error });
  }
}

/** A stream of one request and one answer, as a keep-alive is. */
async function once(method: RequestStreamMethod, request: Uint8Array, call: LocalCall): Promise<Uint8Array> {
  const requests = new Pipe();
  const out = new Pipe();
  call.onCancel(() => requests.break(new RpcError(Code.CANCELLED, 'context canceled')));
  const over = method.handle(requests, new PipeSender(out, call), call).then(() => out.end(), (error: unknown) => out.end(error));
  await requests.write(request);
  requests.end();
  let answer: Uint8Array | undefined;
  for await (const message of out) answer ??= message;
  await over;
  if (answer === undefined) throw new RpcError(Code.INTERNAL, 'the stream ended without an answer');
  return answer;
}

class LocalDuplex implements DuplexCall {
  readonly #requests: Pipe;
  readonly #answers: AsyncGenerator<Uint8Array, void, undefined>;

  constructor(requests: Pipe, answers: AsyncGenerator<Uint8Array, void, undefined>) {
    this.#requests = requests;
    this.#answers = answers;
  }

  /** What comes after the end of the call is dropped, as on a connection. */
  write(bytes: Uint8Array): void {
    this.#requests.write(bytes).catch(() => undefined);
  }

  messages(): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#answers;
  }
}

export class LocalDialer implements Dialer {
  readonly #member: LocalMember;
  readonly #asOwner: boolean;

  constructor(member: LocalMember, asOwner: boolean) {
    this.#member = member;
    this.#asOwner = asOwner;
  }

  dial(name: string): Connection {
    if (name !== LOCAL) throw badArgument(`endpoint ${JSON.stringify(name)}: this client is part of a member, and asks that alone`);
    return new LocalConnection(this.#member, this.#asOwner);
  }
}
