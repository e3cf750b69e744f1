/**
 * HTTP/2 without frames, for tests of what is above it: streams that note what is sent on them,
 * take as many bytes as the test lets them, and throw when they are used as no stream may be.
 */

import { HpackDecoder } from '../../http2/hpack/decoder.js';
import { HpackEncoder } from '../../http2/hpack/encoder.js';
import { Field } from '../../http2/hpack/field.js';
import type { HeaderList } from '../../http2/hpack/header-list.js';
import { RequestHead } from '../../http2/request-head.js';
import type { RequestHandler } from '../../http2/request-handler.js';
import type { ServerConnection } from '../../http2/connection.js';
import type { Http2Stream } from '../../http2/stream.js';

export type Fields = Readonly<Record<string, string>>;

/** The fields of a list as a peer reads them. */
export function fieldsOf(list: HeaderList): Fields {
  const block = new HpackEncoder().encode(list);
  const fields: Record<string, string> = {};
  new HpackDecoder().decode(block, 0, block.length, {
    field: ({ name, value }) => {
      fields[name] = value;
      return true;
    },
  });
  return fields;
}

/** A request's head; `fields` replace those that a call has anyway, and '' leaves one out. */
export function requestHead(path: string, fields: Fields = {}): RequestHead {
  const head = new RequestHead(64 * 1024);
  const all: Record<string, string> = {
    ':method': 'POST', ':scheme': 'http', ':path': path, ':authority': 'test', 'content-type': 'application/grpc', te: 'trailers', ...fields,
  };
  for (const [name, value] of Object.entries(all)) if (value !== '') head.field(new Field(name, value));
  return head;
}

/** Messages with their prefixes, in one piece. */
export function framed(...messages: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(messages.flatMap((message) => [prefix(0, message.length), message]));
}

export function prefix(flag: number, size: number): Uint8Array {
  const bytes = Buffer.alloc(5);
  bytes[0] = flag;
  bytes.writeUInt32BE(size, 1);
  return bytes;
}

/** The messages that are whole in the bytes of a response. */
export function messagesIn(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    messages.push(bytes.subarray(at + 5, end));
    at = end;
  }
  return messages;
}

export class FakeStream implements Http2Stream {
  readonly id = 1;
  readonly connection = undefined as unknown as ServerConnection;
  app: unknown = undefined;
  over = false;
  /** Sent so far, as a peer sees it. */
  headers1: Fields | undefined = undefined;
  trailers1: Fields | undefined = undefined;
  resetCode: number | undefined = undefined;
  readonly payload: Uint8Array[] = [];
  consumedBytes = 0;
  releases = 0;
  unsentOfConnection = 0;
  readonly peerName: string | undefined = undefined;
  /** Bytes that the peer takes until it is told to take more. */
  window: number;
  /** Bytes that may wait before `data` says that it is enough. */
  readonly enough: number;
  readonly #handler: RequestHandler;
  #begun = false;
  #waiting: Uint8Array[] = [];
  #trailers: Fields | undefined = undefined;
  #full = false;

  constructor(handler: RequestHandler, window: number, enough: number) {
    this.#handler = handler;
    this.window = window;
    this.enough = enough;
  }

  get unsentBytes(): number {
    return this.#waiting.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** The messages that have wholly come to the peer. */
  get messages(): Buffer[] {
    return messagesIn(Buffer.concat(this.payload));
  }

  /** The status, in trailers or in a response of its own. */
  get status(): Fields | undefined {
    return this.trailers1 ?? (this.headers1 !== undefined && 'grpc-status' in this.headers1 ? this.headers1 : undefined);
  }

  get code(): number | undefined {
    const code = this.status?.['grpc-status'];
    return code === undefined ? undefined : Number(code);
  }

  respond(headers: HeaderList, before: Uint8Array, body: Uint8Array, trailers: HeaderList): void {
    if (!this.#mayUse(!this.#begun)) return;
    this.headers(headers);
    this.#waiting.push(Buffer.concat([before, body]));
    this.trailers(trailers);
  }

  respondOnly(headers: HeaderList): void {
    if (!this.#mayUse(!this.#begun)) return;
    this.#begun = true;
    this.headers1 = fieldsOf(headers);
    this.end(true);
  }

  headers(list: HeaderList): void {
    if (!this.#mayUse(!this.#begun)) return;
    this.#begun = true;
    this.headers1 = fieldsOf(list);
  }

  data(before: Uint8Array, body: Uint8Array): boolean {
    if (!this.#mayUse(this.#begun && this.#trailers === undefined)) return false;
    this.#waiting.push(Buffer.concat([before, body]));
    this.#send();
    this.#full = this.unsentBytes >= this.enough;
    return !this.#full;
  }

  trailers(list: HeaderList): void {
    if (!this.#mayUse(this.#begun && this.#trailers === undefined)) return;
    this.#trailers = fieldsOf(list);
    this.#send();
  }

  reset(code: number): void {
    if (!this.#mayUse(true)) return;
    this.resetCode = code;
    this.end(false);
  }

  consumed(bytes: number): void {
    if (this.#mayUse(true)) this.consumedBytes += bytes;
  }

  release(): void {
    if (++this.releases > 1) throw new Error('released twice');
  }

  /** The peer takes so many bytes more. */
  take(bytes: number): void {
    if (this.over) return;
    this.window += bytes;
    this.#send();
    if (this.over || !this.#full || this.unsentBytes >= this.enough) return;
    this.#full = false;
    this.#handler.writable(this);
  }

  /** Nothing can be sent any more. */
  end(complete: boolean): void {
    if (this.over) return;
    this.over = true;
    this.#waiting = [];
    this.#handler.over(this, complete);
  }

  #send(): void {
    while (this.#waiting.length > 0 && this.window > 0) {
      const first = this.#waiting[0] as Uint8Array;
      const size = Math.min(first.length, this.window);
      this.window -= size;
      this.payload.push(first.subarray(0, size));
      if (size === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(size);
    }
    if (this.#waiting.length > 0 || this.#trailers === undefined) return;
    this.trailers1 = this.#trailers;
    this.end(true);
  }

  /** False: the stream is over, and nothing is done. */
  #mayUse(legal: boolean): boolean {
    if (this.over && this.releases > 0) throw new Error('a stream was used that is over and released');
    if (this.over) return false;
    if (!legal) throw new Error('not at this time of a response');
    return true;
  }
}

/** A peer that makes requests of a handler. */
export class FakePeer {
  readonly handler: RequestHandler;
  readonly window: number;
  readonly enough: number;

  constructor(handler: RequestHandler, window = Infinity, enough = 64 * 1024) {
    this.handler = handler;
    this.window = window;
    this.enough = enough;
  }

  /** Sends a head. */
  begin(path: string, fields: Fields = {}, ended = false): FakeStream {
    const stream = new FakeStream(this.handler, this.window, this.enough);
    this.handler.request(stream, requestHead(path, fields), ended);
    return stream;
  }

  /** Sends bytes of a body, which are overwritten at once, as those of a socket are. */
  send(stream: FakeStream, bytes: Uint8Array, ended = false): void {
    if (stream.over) return;
    const lent = Buffer.concat([Buffer.from([0xee]), bytes, Buffer.from([0xee])]);
    this.handler.data(stream, lent, 1, bytes.length + 1, ended);
    lent.fill(0xee);
  }

  /** A whole request of these messages. */
  ask(path: string, messages: readonly Uint8Array[], fields: Fields = {}): FakeStream {
    const stream = this.begin(path, fields);
    this.send(stream, framed(...messages), true);
    return stream;
  }

  /** RST_STREAM. */
  cancel(stream: FakeStream): void {
    stream.end(false);
  }
}
