/**
 * gRPC over HTTP/2 for a table of methods: requests become calls, and each stream that HTTP/2 gives
 * is over exactly once, with all that was counted for it given back.
 */

import type { RequestHandler } from '../http2/request-handler.js';
import type { RequestHead } from '../http2/request-head.js';
import type { Http2Stream } from '../http2/stream.js';
import type { Call } from './call.js';
import { RefusedHead, readCallHead, type CallHead } from './call-head.js';
import type { StatsOf } from './hooks.js';
import type { MethodTable } from './method.js';
import { RequestStreamCall } from './request-stream-call.js';
import { Routes } from './routes.js';
import { ServerStreamCall } from './server-stream-call.js';
import { Shared, type SharedParts } from './shared.js';
import { UnaryCalls } from './unary-call.js';

export interface GrpcServerParts extends SharedParts {
  readonly methods: MethodTable;
  readonly stats: StatsOf;
}

/** What the calls of a server hold; all zero when there are none. */
export interface Held {
  readonly calls: number;
  readonly deadlines: number;
  readonly unfinishedBytes: number;
  readonly unreadBytes: number;
}

export class GrpcServer implements RequestHandler {
  readonly #shared: Shared;
  readonly #routes: Routes;
  readonly #unary: UnaryCalls;

  constructor(parts: GrpcServerParts) {
    this.#shared = new Shared(parts);
    this.#routes = new Routes(parts.methods, parts.stats);
    this.#unary = new UnaryCalls(this.#shared);
  }

  get held(): Held {
    const { calls, deadlines, unfinished, carried, unread } = this.#shared;
    return { calls, deadlines: deadlines.size, unfinishedBytes: unfinished.taken + carried.taken, unreadBytes: unread.bytes };
  }

  /** The connections are closed: no deadline is kept any more. */
  stop(): void {
    this.#shared.deadlines.stop();
  }

  request(stream: Http2Stream, head: RequestHead, ended: boolean): void {
    const known = head.memo as CallHead | RefusedHead | undefined;
    const read = known ?? (head.memo = readCallHead(head, this.#routes)) as CallHead | RefusedHead;
    if (read instanceof RefusedHead) {
      stream.respondOnly(read.answer);
      return;
    }
    const { method } = read.route;
    switch (method.kind) {
      case 'unary':
        this.#unary.take().begin(stream, read, ended);
        return;
      case 'server-stream':
        new ServerStreamCall(this.#shared, stream, method).begin(stream, read, ended);
        return;
      case 'client-stream':
      case 'bidi':
        new RequestStreamCall(this.#shared, stream, read, method).begin(stream, read, ended);
    }
  }

  data(stream: Http2Stream, bytes: Uint8Array, from: number, to: number, ended: boolean): void {
    const call = stream.app as Call | undefined;
    if (call !== undefined) call.data(bytes, from, to, ended);
    else stream.consumed(to - from);
  }

  writable(stream: Http2Stream): void {
    (stream.app as Call | undefined)?.writable();
  }

  over(stream: Http2Stream): void {
    const call = stream.app as Call | undefined;
    if (call !== undefined) call.over();
    else stream.release();
  }
}
