/**
 * A request that comes as JSON, on its way to a method of gRPC. One of one message is read when it
 * is complete; one of many is a value behind another, each handed on when the method has taken the
 * one before. What has come and is not handed on is bounded for each request, and over all.
 *
 * The call begins when there is something to call with, so what is no JSON is refused without one.
 * It is cancelled when its client is gone.
 */

import type { Clock, Timer, Workers } from '../../base/env.js';
import { drive } from '../../base/drive.js';
import { messageOf } from '../../base/errors.js';
import { JsonError } from '../../api/json/json-error.js';
import { readJson } from '../../api/json/read-json.js';
import { ValueSplitter } from '../../api/json/value-splitter.js';
import type { MethodSchemas } from '../../api/protos/message-schemas.js';
import type { ByteBudget } from '../../grpc/byte-budget.js';
import { Code } from '../../grpc/code.js';
import { NO_ROOM } from '../../grpc/message-reader.js';
import type { RpcStatus } from '../../grpc/status.js';
import type { RequestHead } from '../../http2/request-head.js';
import type { RequestHandler } from '../../http2/request-handler.js';
import type { Exchange, ExchangeUser } from '../web/exchange.js';
import { refuse } from './http-status.js';
import { JsonAnswer, type RequestFlow } from './json-answer.js';

const LATE: RpcStatus = { code: Code.DEADLINE_EXCEEDED, details: 'grpc: the request took too long to come' };
const PREFIX_BYTES = 5;

export interface RequestParts {
  readonly calls: RequestHandler;
  readonly workers: Workers;
  readonly clock: Clock;
  /** Bytes of the text of one message. */
  readonly maxBytes: number;
  /** Of what has come and was not handed on, over all requests. */
  readonly held: ByteBudget;
  /** Milliseconds for a request of one message to come. */
  readonly receiveMs: number;
}

function framed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, PREFIX_BYTES);
  return bytes;
}

abstract class JsonRequest implements ExchangeUser, RequestFlow {
  protected readonly parts: RequestParts;
  protected readonly exchange: Exchange;
  protected readonly schemas: MethodSchemas;
  readonly #head: RequestHead;
  protected readonly answer: JsonAnswer;
  #called = false;
  #held = 0;
  protected closed = false;

  constructor(parts: RequestParts, exchange: Exchange, schemas: MethodSchemas, head: RequestHead) {
    this.parts = parts;
    this.exchange = exchange;
    this.schemas = schemas;
    this.#head = head;
    const { response: schema, responseStream: many } = schemas;
    this.answer = new JsonAnswer({ exchange, calls: parts.calls, schema, many, workers: parts.workers, request: this });
  }

  abstract data(bytes: Uint8Array): void;
  abstract ended(): void;
  abstract consumed(bytes: number): void;

  writable(): void {
    this.answer.writable();
  }

  over(): void {
    this.close();
    if (this.#called) this.answer.leave();
  }

  /** Nothing more is wanted of the request. */
  protected close(): void {
    this.closed = true;
    this.holdOnly(0);
  }

  protected call(): void {
    this.#called = true;
    this.parts.calls.request(this.answer, this.#head, false);
  }

  protected hand(message: Uint8Array, last: boolean): void {
    const bytes = framed(message);
    this.parts.calls.data(this.answer, bytes, 0, bytes.length, last);
  }

  /** False: there is no room, and the request is refused. */
  protected hold(bytes: number): boolean {
    if (!this.parts.held.take(bytes)) {
      this.fail(NO_ROOM);
      return false;
    }
    this.#held += bytes;
    return true;
  }

  /** So much of it is still here. */
  protected holdOnly(bytes: number): void {
    this.parts.held.giveBack(this.#held - bytes);
    this.#held = bytes;
  }

  protected tooLarge(bytes: number): void {
    const { maxBytes } = this.parts;
    this.fail({ code: Code.RESOURCE_EXHAUSTED, details: `grpc: received message larger than max (${bytes} vs. ${maxBytes} bytes of JSON)` });
  }

  /** A message of the request as it goes to gRPC; undefined: it was refused, or nobody waits. */
  protected async read(text: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      const message = await drive(readJson(this.schemas.request, text), this.parts.workers);
      return this.closed ? undefined : message;
    } catch (error) {
      // Whatever comes in must not end the process.
      const code = error instanceof JsonError ? Code.INVALID_ARGUMENT : Code.INTERNAL;
      if (!this.closed) this.fail({ code, details: messageOf(error) });
      return undefined;
    }
  }

  protected fail(status: RpcStatus): void {
    this.close();
    if (this.#called) this.answer.refuse(status);
    else refuse(this.exchange, status);
  }
}

export class SingleJsonRequest extends JsonRequest {
  readonly #texts: Uint8Array[] = [];
  #bytes = 0;
  readonly #timer: Timer;

  constructor(...args: ConstructorParameters<typeof JsonRequest>) {
    super(...args);
    this.#timer = this.parts.clock.setTimer(this.parts.receiveMs, () => {
      if (!this.closed) this.fail(LATE);
    });
  }

  override data(bytes: Uint8Array): void {
    this.exchange.took(bytes.length);
    if (this.closed) return;
    this.#bytes += bytes.length;
    if (this.#bytes > this.parts.maxBytes) this.tooLarge(this.#bytes);
    else if (this.hold(bytes.length)) this.#texts.push(bytes);
  }

  override ended(): void {
    this.#timer.cancel();
    if (!this.closed) void this.#carryOut();
  }

  override consumed(): void {}

  protected override close(): void {
    this.#timer.cancel();
    this.#texts.length = 0;
    super.close();
  }

  async #carryOut(): Promise<void> {
    const message = await this.read(Buffer.concat(this.#texts));
    if (message === undefined) return;
    this.close();
    this.call();
    this.hand(message, true);
  }
}

export class ManyJsonRequests extends JsonRequest {
  readonly #splitter = new ValueSplitter();
  readonly #values: Uint8Array[] = [];
  #ended = false;
  #busy = false;
  /** Of the message that was handed on: what the method has yet to take. */
  #untaken = 0;
  /** Of the body: what may be asked for again once the values have gone on. */
  #owed = 0;

  begin(): void {
    this.call();
  }

  override data(bytes: Uint8Array): void {
    if (this.closed) {
      this.exchange.took(bytes.length);
      return;
    }
    this.#owed += bytes.length;
    if (!this.hold(bytes.length)) return;
    this.#values.push(...this.#splitter.push(bytes));
    if (this.#splitter.heldBytes > this.parts.maxBytes) this.tooLarge(this.#splitter.heldBytes);
    else this.#go();
  }

  override ended(): void {
    this.#ended = true;
    if (this.closed) return;
    const rest = this.#splitter.rest();
    if (rest.length > 0) this.#values.push(rest);
    this.#go();
  }

  override consumed(bytes: number): void {
    this.#untaken -= bytes;
    this.#go();
  }

  protected override close(): void {
    this.#values.length = 0;
    super.close();
    this.#take();
  }

  #go(): void {
    if (!this.#busy && !this.closed) void this.#next();
  }

  async #next(): Promise<void> {
    this.#busy = true;
    while (!this.closed && this.#untaken <= 0) {
      const text = this.#values.shift();
      if (text === undefined) break;
      const message = await this.read(text);
      if (message === undefined) return;
      this.#untaken = PREFIX_BYTES + message.length;
      this.hand(message, false);
    }
    this.#busy = false;
    if (this.closed || this.#values.length > 0) return;
    this.holdOnly(this.#splitter.heldBytes);
    this.#take();
    if (!this.#ended || this.#untaken > 0) return;
    this.close();
    this.parts.calls.data(this.answer, new Uint8Array(0), 0, 0, true);
  }

  #take(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.exchange.took(owed);
  }
}
