/**
 * The stream of a call whose answer leaves as JSON: what gRPC sees of HTTP/2, without frames. Each
 * message is written as text piece by piece, the next one when the client has taken the last, so
 * that a slow reader slows its call and holds a message and a piece.
 *
 * An answer of one message is the message; one of many has a line for each, `{"result": ...}`, and
 * at last, if it went wrong, `{"error": ...}`.
 */

import { assert } from '../../base/assert.js';
import { Deferred } from '../../base/deferred.js';
import type { Workers } from '../../base/env.js';
import { CodecError } from '../../base/errors.js';
import type { MessageSchema } from '../../api/json/schema.js';
import { writeJson } from '../../api/json/write-json.js';
import { Code } from '../../grpc/code.js';
import { statusIn, type RpcStatus } from '../../grpc/status.js';
import type { HeaderList, Pair } from '../../http2/hpack/header-list.js';
import type { RequestHandler } from '../../http2/request-handler.js';
import type { Http2Stream } from '../../http2/stream.js';
import type { Exchange } from '../web/exchange.js';
import { httpStatus, JSON_TYPE, refuse, statusJson } from './http-status.js';

/** What grpc-gateway passes on of the head of an answer. */
const GRPC_ANSWER: Pair = ['grpc-metadata-content-type', 'application/grpc'];
const UNREADABLE: RpcStatus = { code: Code.INTERNAL, details: 'the answer cannot be written as JSON' };

/** Who sends the request, and is told what was used up of it. */
export interface RequestFlow {
  consumed(bytes: number): void;
}

export interface JsonAnswerParts {
  readonly exchange: Exchange;
  readonly calls: RequestHandler;
  readonly schema: MessageSchema;
  /** Has many messages. */
  readonly many: boolean;
  readonly workers: Workers;
  readonly request: RequestFlow;
}

export class JsonAnswer implements Http2Stream {
  readonly id = 1;
  app: unknown = undefined;
  /** A certificate speaks for nobody here: see `Site`. */
  readonly peerName = undefined;
  readonly #parts: JsonAnswerParts;
  readonly #messages: Uint8Array[] = [];
  #unsent = 0;
  #status: RpcStatus | undefined = undefined;
  #begun = false;
  /** The only message went out whole. */
  #answered = false;
  #sending = false;
  #wantsWritable = false;
  #room: Deferred | undefined = undefined;
  #over = false;
  /** gRPC was told that it is over. */
  #left = false;

  constructor(parts: JsonAnswerParts) {
    this.#parts = parts;
  }

  get unsentBytes(): number {
    return this.#unsent;
  }

  get unsentOfConnection(): number {
    return this.#parts.exchange.unsentBytes;
  }

  get over(): boolean {
    return this.#left;
  }

  respond(_headers: HeaderList, _prefix: Uint8Array, body: Uint8Array, trailers: HeaderList): void {
    this.#push(body);
    this.trailers(trailers);
  }

  respondOnly(headers: HeaderList): void {
    this.trailers(headers);
  }

  headers(): void {}

  data(_prefix: Uint8Array, body: Uint8Array): boolean {
    if (this.#left) return true;
    this.#push(body);
    this.#go();
    this.#wantsWritable = this.#sending;
    return !this.#sending;
  }

  trailers(list: HeaderList): void {
    if (this.#left) return;
    this.#status = statusIn(list);
    this.#go();
  }

  /** HTTP/1.1 knows no end of an answer but that of its connection. What is complete goes out. */
  reset(): void {
    if (this.#status === undefined) this.#parts.exchange.abort();
  }

  consumed(bytes: number): void {
    this.#parts.request.consumed(bytes);
  }

  release(): void {}

  /** The client has taken what there was. */
  writable(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** The rest of the request cannot be read: this ends the call. */
  refuse(status: RpcStatus): void {
    if (this.#status !== undefined || this.#over) return;
    this.#status = status;
    this.#go();
    this.#cancel();
  }

  /** The exchange is over. */
  leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#messages.length = 0;
    this.#unsent = 0;
    this.writable();
    this.#cancel();
  }

  #cancel(): void {
    if (this.#left) return;
    this.#left = true;
    this.#parts.calls.over(this, this.#status?.code === Code.OK);
  }

  #push(message: Uint8Array): void {
    this.#messages.push(message);
    this.#unsent += message.length;
  }

  #go(): void {
    if (this.#sending || this.#over) return;
    this.#sending = true;
    this.#send().catch((error: unknown) => {
      if (this.#over) return;
      if (!(error instanceof CodecError) || this.#begun || this.#parts.many) this.#parts.exchange.abort();
      else refuse(this.#parts.exchange, UNREADABLE);
    });
  }

  /** Until nothing is left, in one turn where it can. */
  async #send(): Promise<void> {
    while (!this.#over) {
      const [message] = this.#messages;
      if (message !== undefined) {
        await this.#sendMessage(message);
        if (this.#over) return;
        this.#messages.shift();
        this.#unsent -= message.length;
        continue;
      }
      this.#sending = false;
      if (this.#status !== undefined) return this.#end(this.#status);
      if (!this.#wantsWritable) return;
      this.#wantsWritable = false;
      this.#parts.calls.writable(this);
      // Whoever was waiting goes on later, and begins anew.
      return;
    }
  }

  async #sendMessage(message: Uint8Array): Promise<void> {
    const { exchange, schema, many, workers } = this.#parts;
    let text = many ? '{"result":' : '';
    let pieces = 0;
    for (const piece of writeJson(schema, message)) {
      if (pieces++ > 0) {
        await this.#write(text);
        text = '';
      }
      text += piece;
      const pause = workers.breathe();
      if (pause !== undefined) await pause;
      if (this.#over) return;
    }
    if (many) return this.#write(`${text}}\n`);
    if (this.#begun) return this.#write(text);
    // In one, with its length.
    this.#answered = true;
    exchange.answer(200, [JSON_TYPE, GRPC_ANSWER], Buffer.from(text));
  }

  async #write(text: string): Promise<void> {
    const { exchange } = this.#parts;
    if (!this.#begun) exchange.begin(200, [JSON_TYPE, GRPC_ANSWER]);
    this.#begun = true;
    if (exchange.write(Buffer.from(text)) || this.#over) return;
    this.#room = new Deferred();
    await this.#room.promise;
  }

  #end(status: RpcStatus): void {
    assert(this.#messages.length === 0, 'a status comes behind all messages');
    const { exchange, many } = this.#parts;
    if (!many) {
      if (status.code !== Code.OK) refuse(exchange, status);
      else if (!this.#answered) exchange.end();
      return;
    }
    if (status.code === Code.OK) {
      if (!this.#begun) exchange.begin(200, []);
    } else {
      if (!this.#begun) exchange.begin(httpStatus(status.code), [JSON_TYPE]);
      exchange.write(Buffer.from(`{"error":${statusJson(status)}}\n`));
    }
    exchange.end();
  }
}
