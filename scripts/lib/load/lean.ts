/**
 * The leanest client there is for benchmarks: HTTP/2 frames straight on a socket. One HEADERS and
 * one DATA frame per call, copied from a prepared header; all requests of one turn of the event
 * loop leave in one write. node:http2 would spend several times as much per call, and on two shared
 * cores that would hide the servers. No priorities, no push, no header compression.
 */

import { connect, type Socket } from 'node:net';
import { RpcError, UNAVAILABLE, type Answer } from './grpc.js';
import { encodeHeaders, readGrpcStatus, type GrpcStatus } from './hpack.js';

const FRAME_HEAD = 9;
const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8, continuation: 9 } as const;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const PADDED = 8;
const PRIORITY = 0x20;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const STREAM_WINDOW = 16 * 1024 * 1024;
const CONNECTION_WINDOW = 1 << 30;
const NO_BODY = Buffer.alloc(0);

interface Call extends GrpcStatus {
  readonly answer: Answer;
  body: Buffer | undefined;
  /** Of a stream: each message as it comes, instead of one body at the end. */
  readonly onMessage?: (message: Buffer) => void;
  /** Of a stream: bytes that its window was not given back yet. */
  taken: number;
}

/** A call that stays open. */
export interface LeanStream {
  /** `message`: with the five bytes of its head. */
  send(message: Buffer): void;
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const out = Buffer.alloc(FRAME_HEAD + payload.length);
  out.writeUIntBE(payload.length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(stream, 5);
  payload.copy(out, FRAME_HEAD);
  return out;
}

function settings(pairs: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return frame(TYPE.settings, 0, 0, payload);
}

function windowUpdate(stream: number, by: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(by);
  return frame(TYPE.windowUpdate, 0, stream, payload);
}

class LeanSession {
  readonly #host: string;
  readonly #port: number;
  readonly #calls = new Map<number, Call>();
  readonly #headers = new Map<string, Buffer>();
  #socket: Socket | undefined;
  #nextStream = 1;
  #out: Buffer[] = [];
  #flushing = false;
  #rest: Buffer = NO_BODY;
  #sendWindow = 65535;
  #waiting: { readonly path: string; readonly body: Buffer; readonly answer: Answer }[] = [];
  #received = 0;
  #headerOf = 0;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
  }

  #open(): void {
    const socket = connect(this.#port, this.#host);
    socket.setNoDelay(true);
    let why = 'connection closed';
    socket.on('error', (error) => (why = error.message));
    socket.on('close', () => this.#fail(why));
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#socket = socket;
    this.#nextStream = 1;
    this.#sendWindow = 65535;
    this.#rest = NO_BODY;
    this.#received = 0;
    // No dynamic table, no push, room for big answers.
    const ours = settings([[1, 0], [2, 0], [4, STREAM_WINDOW]]);
    this.#out = [PREFACE, ours, windowUpdate(0, CONNECTION_WINDOW)];
  }

  #fail(why: string): void {
    this.#socket = undefined;
    const calls = [...this.#calls.values(), ...this.#waiting.map(({ answer }) => ({ answer }))];
    this.#calls.clear();
    this.#waiting = [];
    for (const { answer } of calls) answer(new RpcError(UNAVAILABLE, why), NO_BODY);
  }

  #headerFrame(path: string): Buffer {
    let made = this.#headers.get(path);
    if (made === undefined) {
      const block = encodeHeaders([
        [':method', 'POST'], [':scheme', 'http'], [':path', path], [':authority', `${this.#host}:${this.#port}`],
        ['content-type', 'application/grpc'], ['te', 'trailers'],
      ]);
      made = frame(TYPE.headers, END_HEADERS, 0, block);
      this.#headers.set(path, made);
    }
    return made;
  }

  call(path: string, body: Buffer, answer: Answer): void {
    if (this.#socket === undefined) this.#open();
    if (body.length > this.#sendWindow) {
      this.#waiting.push({ path, body, answer });
      return;
    }
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.#sendWindow -= body.length;
    const head = this.#headerFrame(path);
    const out = Buffer.allocUnsafe(head.length + FRAME_HEAD + body.length);
    head.copy(out);
    out.writeUInt32BE(stream, 5);
    const at = head.length;
    out.writeUIntBE(body.length, at, 3);
    out[at + 3] = TYPE.data;
    out[at + 4] = END_STREAM;
    out.writeUInt32BE(stream, at + 5);
    body.copy(out, at + FRAME_HEAD);
    this.#calls.set(stream, { answer, body: undefined, status: undefined, message: '', taken: 0 });
    this.#send(out);
  }

  /** Few and small messages go out on it: they do not wait for a window. */
  stream(path: string, onMessage: (message: Buffer) => void, onEnd: (why: string) => void): LeanStream {
    if (this.#socket === undefined) this.#open();
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const head = Buffer.from(this.#headerFrame(path));
    head.writeUInt32BE(stream, 5);
    const answer: Answer = (error) => onEnd(error?.message ?? 'the stream ended');
    this.#calls.set(stream, { answer, onMessage, body: undefined, status: undefined, message: '', taken: 0 });
    this.#send(head);
    return {
      send: (message) => {
        this.#sendWindow -= message.length;
        this.#send(frame(TYPE.data, 0, stream, message));
      },
    };
  }

  #send(bytes: Buffer): void {
    this.#out.push(bytes);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    const out = this.#out;
    this.#out = [];
    if (out.length > 0) this.#socket?.write(out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out));
  }

  #onData(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= FRAME_HEAD) {
      const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
      if (bytes.length - at < FRAME_HEAD + length) break;
      const payload = at + FRAME_HEAD;
      const stream = bytes.readUInt32BE(at + 5) & 0x7fffffff;
      this.#onFrame(bytes[at + 3] as number, bytes[at + 4] as number, stream, bytes, payload, payload + length);
      at = payload + length;
    }
    this.#rest = at === bytes.length ? NO_BODY : bytes.subarray(at);
  }

  #onFrame(type: number, flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    switch (type) {
      case TYPE.data:
        return this.#onBody(flags, stream, bytes, from, to);
      case TYPE.headers:
      case TYPE.continuation:
        return this.#onHeaders(type, flags, stream, bytes, from, to);
      case TYPE.reset:
        return this.#finish(stream, `stream reset, code ${bytes.readUInt32BE(from)}`);
      case TYPE.settings:
        if ((flags & ACK) === 0) this.#send(frame(TYPE.settings, ACK, 0, NO_BODY));
        return;
      case TYPE.ping:
        if ((flags & ACK) === 0) this.#send(frame(TYPE.ping, ACK, 0, Buffer.from(bytes.subarray(from, to))));
        return;
      case TYPE.goAway:
        this.#socket?.destroy();
        return;
      case TYPE.windowUpdate:
        if (stream === 0) this.#onRoom(bytes.readUInt32BE(from));
        return;
      default:
    }
  }

  #onRoom(more: number): void {
    this.#sendWindow += more;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { path, body, answer } of waiting) this.call(path, body, answer);
  }

  #onBody(flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    this.#received += to - from;
    if (this.#received > CONNECTION_WINDOW / 2) {
      this.#send(windowUpdate(0, this.#received));
      this.#received = 0;
    }
    const call = this.#calls.get(stream);
    if (call === undefined) return;
    const part = (flags & PADDED) === 0 ? bytes.subarray(from, to) : bytes.subarray(from + 1, to - (bytes[from] as number));
    call.body = call.body === undefined ? part : Buffer.concat([call.body, part]);
    if (call.onMessage !== undefined) this.#onMessages(stream, call, call.onMessage, to - from);
    if ((flags & END_STREAM) !== 0) this.#finish(stream, 'ended without a status');
  }

  #onMessages(stream: number, call: Call, onMessage: (message: Buffer) => void, taken: number): void {
    const body = call.body as Buffer;
    let at = 0;
    while (body.length - at >= 5) {
      const end = at + 5 + body.readUInt32BE(at + 1);
      if (end > body.length) break;
      onMessage(body.subarray(at + 5, end));
      at = end;
    }
    call.body = at === body.length ? undefined : body.subarray(at);
    call.taken += taken;
    if (call.taken < STREAM_WINDOW / 2) return;
    this.#send(windowUpdate(stream, call.taken));
    call.taken = 0;
  }

  #onHeaders(type: number, flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    if (type === TYPE.headers) this.#headerOf = flags & END_STREAM;
    let start = from;
    if (type === TYPE.headers && (flags & PADDED) !== 0) start++;
    if (type === TYPE.headers && (flags & PRIORITY) !== 0) start += 5;
    const end = type === TYPE.headers && (flags & PADDED) !== 0 ? to - (bytes[from] as number) : to;
    const call = this.#calls.get(stream);
    if (call !== undefined) readGrpcStatus(bytes, start, end, call);
    if ((flags & END_HEADERS) !== 0 && this.#headerOf !== 0) this.#finish(stream, 'ended without a status');
  }

  #finish(stream: number, otherwise: string): void {
    const call = this.#calls.get(stream);
    if (call === undefined) return;
    this.#calls.delete(stream);
    if (call.status === 0 && call.body !== undefined && call.body.length >= 5) call.answer(undefined, call.body.subarray(5));
    else if (call.status !== undefined && call.status > 0) call.answer(new RpcError(call.status, call.message), NO_BODY);
    else call.answer(new RpcError(UNAVAILABLE, otherwise), NO_BODY);
  }

  close(): void {
    this.#socket?.destroy();
  }
}

/**
 * All calls to one node; the same shape as {@link import('./grpc.js').Endpoint}, without time-outs.
 */
export class LeanEndpoint {
  readonly #sessions: LeanSession[];
  #turn = 0;

  constructor(url: string, sessions: number) {
    this.#sessions = Array.from({ length: sessions }, () => new LeanSession(url));
  }

  call(path: string, body: Buffer, answer: Answer): void {
    (this.#sessions[this.#turn++ % this.#sessions.length] as LeanSession).call(path, body, answer);
  }

  stream(path: string, onMessage: (message: Buffer) => void, onEnd: (why: string) => void): LeanStream {
    return (this.#sessions[this.#turn++ % this.#sessions.length] as LeanSession).stream(path, onMessage, onEnd);
  }

  close(): void {
    for (const session of this.#sessions) session.close();
  }
}
