/**
 * Serves methods that are called seldom, over the codecs that reflection gives. The `.proto` file
 * says which of them stream.
 */

import { assert } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import { ReflectedRpc, type Message } from '../../api/protos/reflected-rpc.js';
import type { Caller } from '../../api/caller.js';
import type { Method, Sender, ServerCall, ServerStreamMethod, UnaryMethod } from '../../grpc/method.js';
import { callerOf } from './caller-of.js';

type UnaryHandler = (request: Message, caller: Caller, call: ServerCall) => object | Promise<object>;
type StreamHandler = (request: Message, out: ColdSender, caller: Caller, call: ServerCall) => Promise<void>;

/** The sending side of a stream of messages. */
export class ColdSender {
  readonly #rpc: ReflectedRpc;
  readonly #out: Sender;

  constructor(rpc: ReflectedRpc, out: Sender) {
    this.#rpc = rpc;
    this.#out = out;
  }

  get cancelled(): boolean {
    return this.#out.cancelled;
  }

  onCancel(fn: () => void): void {
    this.#out.onCancel(fn);
  }

  write(message: object): Promise<void> {
    return this.#out.write(this.#rpc.encodeResponse(EMPTY, 0, message));
  }
}

class ColdUnary implements UnaryMethod {
  readonly kind = 'unary';
  /** Whatever it does: its answer is small. */
  readonly refusable = false;
  readonly #rpc: ReflectedRpc;
  readonly #answer: UnaryHandler;

  constructor(rpc: ReflectedRpc, answer: UnaryHandler) {
    this.#rpc = rpc;
    this.#answer = answer;
  }

  async handle(bytes: Uint8Array, call: ServerCall): Promise<Uint8Array> {
    const caller = callerOf(call);
    const answer = await this.#answer(this.#rpc.decodeRequest(bytes), caller, call);
    return this.#rpc.encodeResponse(EMPTY, 0, answer);
  }
}

class ColdStream implements ServerStreamMethod {
  readonly kind = 'server-stream';
  readonly #rpc: ReflectedRpc;
  readonly #answer: StreamHandler;

  constructor(rpc: ReflectedRpc, answer: StreamHandler) {
    this.#rpc = rpc;
    this.#answer = answer;
  }

  async handle(bytes: Uint8Array, out: Sender, call: ServerCall): Promise<void> {
    await this.#answer(this.#rpc.decodeRequest(bytes), new ColdSender(this.#rpc, out), callerOf(call), call);
  }
}

/** Adds methods of a service to the table, by their names in the `.proto` file. */
export function addCold(
  table: Map<string, Method>, service: string, unary: Readonly<Record<string, UnaryHandler>>,
  streams: Readonly<Record<string, StreamHandler>> = {},
): void {
  const rpcOf = (name: string, isStream: boolean): ReflectedRpc => {
    const rpc = new ReflectedRpc(service, name, 'write');
    assert(rpc.isStream === isStream, `${rpc.path} ${rpc.isStream ? 'is' : 'is not'} a stream in its .proto file`);
    return rpc;
  };
  for (const [name, answer] of Object.entries(unary)) {
    const rpc = rpcOf(name, false);
    table.set(rpc.path, new ColdUnary(rpc, answer));
  }
  for (const [name, answer] of Object.entries(streams)) {
    const rpc = rpcOf(name, true);
    table.set(rpc.path, new ColdStream(rpc, answer));
  }
}
