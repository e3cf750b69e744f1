/** A layer above HTTP/2 that remembers what it was told, and checks that it was told in order. */

import assert from 'node:assert/strict';
import type { Pair } from '../hpack/testing/plain-hpack.js';
import type { RequestHandler } from '../request-handler.js';
import type { RequestHead } from '../request-head.js';
import type { Http2Stream } from '../stream.js';

export class Call {
  readonly stream: Http2Stream;
  readonly id: number;
  readonly path: string;
  readonly authority: string | undefined;
  readonly fields: readonly Pair[];
  readonly #parts: Buffer[] = [];
  ended: boolean;
  /** Whether the response was complete; undefined: it is not over. */
  over: boolean | undefined = undefined;
  writables = 0;
  released = false;

  constructor(stream: Http2Stream, head: RequestHead, ended: boolean) {
    this.stream = stream;
    this.id = stream.id;
    this.path = head.path.value;
    this.authority = head.authority?.value;
    this.fields = head.fields.map(({ name, value }) => [name, value] as const);
    this.ended = ended;
  }

  get body(): Buffer {
    if (this.#parts.length > 1) this.#parts.splice(0, this.#parts.length, Buffer.concat(this.#parts));
    return this.#parts[0] ?? Buffer.alloc(0);
  }

  /** The bytes are overwritten afterwards. */
  data(part: Uint8Array): void {
    this.#parts.push(Buffer.from(part));
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.stream.release();
  }
}

export class TestHandler implements RequestHandler {
  readonly calls: Call[] = [];
  /** What a request is answered when it has begun, has ended, may be written to. */
  onRequest: (call: Call) => void = () => undefined;
  onEnd: (call: Call) => void = () => undefined;
  onWritable: (call: Call) => void = () => undefined;
  /** Bodies are used up as they come. */
  consumes = true;
  /** Streams are released when they are over. */
  releases = true;

  request(stream: Http2Stream, head: RequestHead, ended: boolean): void {
    assert.equal(stream.app, undefined, 'a record comes clean');
    assert.equal(stream.unsentBytes, 0);
    const call = new Call(stream, head, ended);
    stream.app = call;
    this.calls.push(call);
    this.onRequest(call);
    if (ended && call.over === undefined) this.onEnd(call);
  }

  data(stream: Http2Stream, bytes: Uint8Array, from: number, to: number, ended: boolean): void {
    const call = this.#call(stream);
    assert.ok(!call.ended, 'nothing comes after the end of a request');
    assert.ok(from <= to && to <= bytes.length);
    call.data(bytes.subarray(from, to));
    call.ended = ended;
    if (this.consumes) stream.consumed(to - from);
    if (ended && call.over === undefined) this.onEnd(call);
  }

  writable(stream: Http2Stream): void {
    const call = this.#call(stream);
    call.writables++;
    this.onWritable(call);
  }

  over(stream: Http2Stream, complete: boolean): void {
    const call = this.#call(stream);
    call.over = complete;
    assert.ok(stream.over);
    assert.equal(stream.unsentBytes, 0, 'what is over sends nothing');
    if (this.releases) call.release();
  }

  /** The call of a stream or of a path. */
  call(which: number | string): Call {
    const call = this.calls.find(({ id, path }) => id === which || path === which);
    assert.ok(call, `request ${which} has arrived`);
    return call;
  }

  #call(stream: Http2Stream): Call {
    const call = stream.app;
    assert.ok(call instanceof Call, 'a stream that was given to `request`');
    assert.equal(call.id, stream.id);
    assert.equal(call.over, undefined, 'nothing is told of a stream that is over');
    return call;
  }
}
