/**
 * A client of gRPC on a `ServerConnection` in memory. It sends no more than the server's windows
 * allow, gives windows of its own as it is told, and notes what comes.
 */

import assert from 'node:assert/strict';
import type { Clock } from '../../base/env.js';
import { ServerConnection } from '../../http2/connection.js';
import { HpackDecoder } from '../../http2/hpack/decoder.js';
import { HpackEncoder } from '../../http2/hpack/encoder.js';
import { HeaderList } from '../../http2/hpack/header-list.js';
import { DEFAULT_HTTP2_LIMITS, type Http2Limits } from '../../http2/limits.js';
import { Http2Pool } from '../../http2/pool.js';
import type { RequestHandler } from '../../http2/request-handler.js';
import { F, PREFACE, T, data, headers, parseFrames, rstStream, settings, settingsAck, windowUpdate, type Frame } from '../../http2/testing/frames.js';
import { MemoryTransport } from '../../http2/testing/memory-transport.js';
import { messagesIn, type Fields } from './fake-stream.js';

const MAX_FRAME = 16_384;
const INITIAL_WINDOW = 65_535;
const INITIAL_WINDOW_SIZE = 4;

export class PeerCall {
  readonly id: number;
  /** Bytes of each DATA frame, at most. */
  readonly chunk: number;
  /** Of the body, what has not been sent. */
  body: Buffer = Buffer.alloc(0);
  /** The body has all been given. */
  complete = false;
  /** END_STREAM was sent. */
  ended = false;
  sendWindow: number;
  headers: Fields | undefined = undefined;
  trailers: Fields | undefined = undefined;
  resetCode: number | undefined = undefined;
  /** Nothing comes any more. */
  over = false;
  readonly #payload: Buffer[] = [];

  constructor(id: number, chunk: number, sendWindow: number) {
    this.id = id;
    this.chunk = Math.min(chunk, MAX_FRAME);
    this.sendWindow = sendWindow;
  }

  payload(part: Buffer): void {
    this.#payload.push(part);
  }

  get messages(): Buffer[] {
    return messagesIn(Buffer.concat(this.#payload));
  }

  get code(): number | undefined {
    const status = (this.trailers ?? this.headers)?.['grpc-status'];
    return status === undefined ? undefined : Number(status);
  }
}

export class GrpcPeer {
  readonly transport = new MemoryTransport();
  readonly connection: ServerConnection;
  readonly pool: Http2Pool;
  readonly calls = new Map<number, PeerCall>();
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder();
  #rest: Buffer = Buffer.alloc(0);
  #nextId = 1;
  #connectionWindow = INITIAL_WINDOW;
  #initialWindow = INITIAL_WINDOW;

  constructor(handler: RequestHandler, clock: Clock, limits: Partial<Http2Limits> = {}) {
    this.pool = new Http2Pool(clock);
    this.connection = new ServerConnection({
      transport: this.transport, handler, limits: { ...DEFAULT_HTTP2_LIMITS, ...limits }, clock, pool: this.pool,
    });
    // Each stream gets the window that it is given; the connection's is no obstacle.
    this.#send(PREFACE, settings([INITIAL_WINDOW_SIZE, 0]), settingsAck(), windowUpdate(0, 0x7000_0000));
  }

  begin(path: string, fields: Fields, window: number, chunk: number): PeerCall {
    const id = this.#nextId;
    this.#nextId += 2;
    const call = new PeerCall(id, chunk, this.#initialWindow);
    this.calls.set(id, call);
    const list = HeaderList.once([':method', 'POST'], [':scheme', 'http'], [':path', path], [':authority', 'x'],
      ['content-type', 'application/grpc'], ['te', 'trailers'], ...Object.entries(fields));
    this.#send(headers(id, this.#encoder.encode(list)), ...(window > 0 ? [windowUpdate(id, window)] : []));
    return call;
  }

  /** More of a request; it goes out as the windows allow. */
  body(call: PeerCall, part: Uint8Array, complete: boolean): void {
    call.body = Buffer.concat([call.body, part]);
    call.complete = complete;
    this.#pump(call);
  }

  take(call: PeerCall, bytes: number): void {
    if (!call.over && bytes > 0) this.#send(windowUpdate(call.id, bytes));
  }

  cancel(call: PeerCall): void {
    if (call.over) return;
    call.over = true;
    this.#send(rstStream(call.id, 8));
  }

  /** Reads what the server has written, and sends what it allows then. */
  read(): void {
    const { frames, rest } = parseFrames(Buffer.concat([this.#rest, this.transport.take()]));
    this.#rest = Buffer.from(rest);
    for (const frame of frames) this.#frame(frame);
    for (const call of this.calls.values()) this.#pump(call);
  }

  drained(): void {
    this.transport.letGo();
    this.connection.drained();
  }

  #send(...parts: readonly Uint8Array[]): void {
    const chunk = Buffer.concat(parts);
    this.connection.receive(chunk);
    chunk.fill(0xee);
  }

  #pump(call: PeerCall): void {
    while (!call.over && !call.ended) {
      const size = Math.min(call.body.length, call.chunk, call.sendWindow, this.#connectionWindow);
      if (size <= 0 && !(call.complete && call.body.length === 0)) return;
      const part = call.body.subarray(0, size);
      call.body = call.body.subarray(size);
      call.ended = call.complete && call.body.length === 0;
      call.sendWindow -= size;
      this.#connectionWindow -= size;
      this.#send(data(call.id, part, { end: call.ended }));
    }
  }

  #frame({ type, flags, id, payload }: Frame): void {
    const call = this.calls.get(id);
    switch (type) {
      case T.SETTINGS:
        if ((flags & F.ACK) === 0) this.#settings(payload);
        return;
      case T.WINDOW_UPDATE:
        if (id === 0) this.#connectionWindow += payload.readUInt32BE(0);
        else if (call !== undefined) call.sendWindow += payload.readUInt32BE(0);
        return;
      case T.DATA:
        call?.payload(Buffer.from(payload));
        return;
      case T.HEADERS:
        this.#headers(call, payload, (flags & F.END_STREAM) !== 0);
        return;
      case T.RST_STREAM:
        if (call === undefined) return;
        call.resetCode = payload.readUInt32BE(0);
        call.over = true;
        return;
      case T.PING:
        return;
      default:
        assert.fail(`a frame of type ${type}`);
    }
  }

  #settings(payload: Buffer): void {
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== INITIAL_WINDOW_SIZE) continue;
      const more = payload.readUInt32BE(at + 2) - this.#initialWindow;
      this.#initialWindow += more;
      for (const call of this.calls.values()) call.sendWindow += more;
    }
  }

  /** Every block is decoded, for the table's sake. */
  #headers(call: PeerCall | undefined, block: Buffer, last: boolean): void {
    const fields: Record<string, string> = {};
    const result = this.#decoder.decode(block, 0, block.length, {
      field: ({ name, value }) => {
        fields[name] = value;
        return true;
      },
    });
    assert.equal(result, 'ok');
    if (call === undefined) return;
    if (call.headers === undefined) call.headers = fields;
    else call.trailers = fields;
    if (last) call.over = true;
  }
}
