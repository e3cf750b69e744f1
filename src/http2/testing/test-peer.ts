/**
 * A client of a `ServerConnection` that sees every frame. It keeps the windows that it has given,
 * and finds out when the server sends beyond them, or what no server may send.
 */

import assert from 'node:assert/strict';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { ServerConnection } from '../connection.js';
import { HpackDecoder } from '../hpack/decoder.js';
import { Collected } from '../hpack/testing/collect.js';
import { PlainEncoder, type Pair } from '../hpack/testing/plain-hpack.js';
import { DEFAULT_HTTP2_LIMITS, type Http2Limits } from '../limits.js';
import { Http2Pool } from '../pool.js';
import { assertGivenBack } from './given-back.js';
import { F, PREFACE, T, data, headers, parseFrames, settings, settingsAck, windowUpdate, type DataShape, type Frame } from './frames.js';
import { MemoryTransport } from './memory-transport.js';
import { SentWindows } from './sent-windows.js';
import { TestHandler } from './test-handler.js';

/** A response as far as it has come. */
export class Response {
  headers: readonly Pair[] | undefined = undefined;
  trailers: readonly Pair[] | undefined = undefined;
  readonly #parts: Buffer[] = [];
  frames = 0;
  ended = false;
  reset: number | undefined = undefined;

  get body(): Buffer {
    if (this.#parts.length > 1) this.#parts.splice(0, this.#parts.length, Buffer.concat(this.#parts));
    return this.#parts[0] ?? Buffer.alloc(0);
  }

  payload(part: Buffer): void {
    this.#parts.push(part);
    this.frames++;
  }

  header(name: string): string | undefined {
    return this.headers?.find(([key]) => key === name)?.[1];
  }
}

export class TestPeer {
  readonly clock: ManualClock;
  readonly pool: Http2Pool;
  readonly transport = new MemoryTransport();
  readonly handler = new TestHandler();
  readonly limits: Http2Limits;
  readonly connection: ServerConnection;
  readonly encoder = new PlainEncoder();
  readonly responses = new Map<number, Response>();
  readonly windows = new SentWindows();
  /** All frames that have come. */
  readonly frames: Frame[] = [];
  readonly #decoder = new HpackDecoder();
  #rest: Buffer = Buffer.alloc(0);
  #block: { readonly id: number; readonly end: boolean; readonly parts: Buffer[] } | undefined = undefined;

  constructor(limits: Partial<Http2Limits> = {}, clock = new ManualClock(), pool = new Http2Pool(clock)) {
    this.clock = clock;
    this.pool = pool;
    this.limits = { ...DEFAULT_HTTP2_LIMITS, ...limits };
    this.connection = new ServerConnection({ transport: this.transport, handler: this.handler, limits: this.limits, clock, pool });
  }

  /** A connection that both sides have agreed upon, in which nothing else has happened. */
  static ready(limits: Partial<Http2Limits> = {}, ...pairs: readonly (readonly [id: number, value: number])[]): TestPeer {
    const peer = new TestPeer(limits);
    peer.send(PREFACE, settings(...pairs), settingsAck());
    peer.turn();
    peer.frames.length = 0;
    return peer;
  }

  /** All of it in one chunk, which is spoilt afterwards as a socket's buffer is. */
  send(...parts: readonly Uint8Array[]): void {
    const chunk = Buffer.concat(parts);
    this.windows.sent(chunk);
    this.connection.receive(chunk);
    chunk.fill(0xee);
  }

  /** The turn of the event loop ends; returns the frames that have come since the last time. */
  turn(): readonly Frame[] {
    this.clock.advance(0);
    return this.read();
  }

  /** The time passes, in ticks. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 50) {
      this.clock.advance(Math.min(left, 50));
      this.connection.tick(this.clock.now());
    }
    this.turn();
  }

  /** The transport has room again. */
  drained(): void {
    this.transport.letGo();
    this.connection.drained();
  }

  read(): readonly Frame[] {
    const { frames, rest } = parseFrames(Buffer.concat([this.#rest, this.transport.take()]));
    this.#rest = rest;
    for (const frame of frames) this.#frame(frame);
    return frames;
  }

  block(fields: readonly Pair[]): Uint8Array {
    return this.encoder.block(fields);
  }

  request(path: string, more: readonly Pair[] = []): readonly Pair[] {
    return [[':method', 'POST'], [':scheme', 'http'], [':path', path], [':authority', 'x'], ...more];
  }

  /** HEADERS of a request, without more if `end`. */
  open(id: number, { end = false, more = [] as readonly Pair[], path = `/${id}` } = {}): Buffer {
    return headers(id, this.block(this.request(path, more)), { end });
  }

  /** A whole request with a body. */
  whole(id: number, body: Uint8Array | string, shape: DataShape = {}): Buffer {
    return Buffer.concat([this.open(id), data(id, body, { ...shape, end: true })]);
  }

  /** More window for the connection and, if it is named, a stream. */
  widen(increment: number, id?: number): void {
    if (id !== undefined) this.send(windowUpdate(id, increment));
    this.send(windowUpdate(0, increment));
  }

  response(id: number): Response {
    this.read();
    return this.#response(id);
  }

  /** Of frames of a type that have come. */
  of(type: number): readonly Frame[] {
    this.read();
    return this.frames.filter((frame) => frame.type === type);
  }

  /** The code of the GOAWAY that has come last. */
  get goaway(): number | undefined {
    return this.of(T.GOAWAY).at(-1)?.payload.readUInt32BE(4);
  }

  /** The client goes away; then nothing is left of it. */
  close(): void {
    this.transport.checkKept();
    this.connection.closed();
    this.clock.advance(0);
    assertGivenBack(this);
  }

  #response(id: number): Response {
    let response = this.responses.get(id);
    if (response === undefined) this.responses.set(id, (response = new Response()));
    return response;
  }

  #frame(frame: Frame): void {
    this.frames.push(frame);
    const { type, flags, id, payload } = frame;
    assert.ok(payload.length <= 16_384, 'no frame is larger than every peer takes');
    assert.ok(id === 0 || (id & 1) === 1, 'a server opens no streams');
    assert.equal(this.#block !== undefined, type === T.CONTINUATION, 'a header block is not interrupted');
    this.windows.came(frame);
    const response = this.#response(id);
    switch (type) {
      case T.DATA:
        assert.ok(response.headers !== undefined && !response.ended && response.reset === undefined, 'payload is in its place');
        return response.payload(payload);
      case T.HEADERS:
        assert.ok(!response.ended && response.reset === undefined, 'headers are in their place');
        this.#block = { id, end: (flags & F.END_STREAM) !== 0, parts: [] };
        return this.#headers(response, frame);
      case T.CONTINUATION:
        assert.ok(id === this.#block?.id && (flags & ~F.END_HEADERS) === 0, 'a block goes on as it has begun');
        return this.#headers(response, frame);
      case T.RST_STREAM:
        response.reset = payload.readUInt32BE(0);
        return;
      case T.SETTINGS:
      case T.PING:
      case T.GOAWAY:
      case T.WINDOW_UPDATE:
        return;
      default:
        assert.fail(`a server sends no frame of type ${type}`);
    }
  }

  #headers(response: Response, { flags, payload }: Frame): void {
    assert.ok(this.#block);
    this.#block.parts.push(payload);
    if ((flags & F.END_HEADERS) === 0) return;
    const { end, parts } = this.#block;
    this.#block = undefined;
    const block = Buffer.concat(parts);
    const fields = new Collected();
    assert.equal(this.#decoder.decode(block, 0, block.length, fields), 'ok', 'a header block can be read in its turn');
    if (response.headers === undefined) response.headers = fields.pairs;
    else response.trailers = fields.pairs;
    response.ended = end;
  }
}
