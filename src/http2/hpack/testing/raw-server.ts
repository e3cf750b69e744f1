/**
 * The server side of one HTTP/2 connection over a real socket, as far as header blocks need it:
 * frames in, frames out, no flow control. `node:http2` is its client, so that somebody else's HPACK
 * judges ours.
 */

import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';

const PREFACE_BYTES = 24;
const HEADER_BYTES = 9;
/** What every peer takes (RFC 9113, 4.2). */
const MOST_PAYLOAD_BYTES = 16_384;

const Type = { HEADERS: 1, SETTINGS: 4, PING: 6, CONTINUATION: 9 } as const;
const Flag = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;
const HEADER_TABLE_SIZE = 1;

export interface RawServerListener {
  /** A whole header block of the client, in the order in which they came. */
  block(server: RawServer, stream: number, block: Uint8Array): void;
  /** What the client's SETTINGS say of the header table; they are acknowledged after the return. */
  tableBytes(bytes: number): void;
}

export class RawServer {
  readonly #listener: RawServerListener;
  readonly #server: net.Server;
  #socket: net.Socket | undefined;
  #pending = Buffer.alloc(0);
  #skip = PREFACE_BYTES;
  #fragments: Buffer[] = [];

  private constructor(listener: RawServerListener) {
    this.#listener = listener;
    this.#server = net.createServer((socket) => {
      this.#socket = socket;
      socket.setNoDelay(true);
      socket.on('data', (chunk) => this.#receive(chunk));
      socket.on('error', () => socket.destroy());
      this.#frame(Type.SETTINGS, 0, 0, Buffer.alloc(0));
    });
  }

  /** Takes one connection. */
  static async listen(listener: RawServerListener): Promise<RawServer> {
    const raw = new RawServer(listener);
    raw.#server.listen(0, '127.0.0.1');
    await once(raw.#server, 'listening');
    return raw;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }

  /** Tells the client of SETTINGS_HEADER_TABLE_SIZE, as often as there are sizes, in one frame. */
  announceTable(...sizes: readonly number[]): void {
    const payload = Buffer.alloc(6 * sizes.length);
    sizes.forEach((bytes, i) => {
      payload.writeUInt16BE(HEADER_TABLE_SIZE, 6 * i);
      payload.writeUInt32BE(bytes, 6 * i + 2);
    });
    this.#frame(Type.SETTINGS, 0, 0, payload);
  }

  /** Sends a block in as many frames as it takes. */
  headers(stream: number, block: Uint8Array, endStream: boolean): void {
    let at = 0;
    do {
      const part = block.subarray(at, at + MOST_PAYLOAD_BYTES);
      const last = at + part.length === block.length ? Flag.END_HEADERS : 0;
      this.#frame(at === 0 ? Type.HEADERS : Type.CONTINUATION, last | (at === 0 && endStream ? Flag.END_STREAM : 0), stream, part);
      at += part.length;
    } while (at < block.length);
  }

  #frame(type: number, flags: number, stream: number, payload: Uint8Array): void {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUIntBE(payload.length, 0, 3);
    header[3] = type;
    header[4] = flags;
    header.writeUInt32BE(stream, 5);
    this.#socket?.write(Buffer.concat([header, payload]));
  }

  #receive(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    if (this.#skip > 0) {
      if (this.#pending.length < this.#skip) return;
      this.#pending = this.#pending.subarray(this.#skip);
      this.#skip = 0;
    }
    while (this.#pending.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#pending.readUIntBE(0, 3);
      if (this.#pending.length < end) return;
      const frame = this.#pending.subarray(0, end);
      this.#pending = this.#pending.subarray(end);
      this.#take(frame[3] as number, frame[4] as number, frame.readUInt32BE(5), frame.subarray(HEADER_BYTES));
    }
  }

  #take(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === Type.SETTINGS && (flags & Flag.ACK) === 0) {
      for (let at = 0; at < payload.length; at += 6) {
        if (payload.readUInt16BE(at) === HEADER_TABLE_SIZE) this.#listener.tableBytes(payload.readUInt32BE(at + 2));
      }
      this.#frame(Type.SETTINGS, Flag.ACK, 0, Buffer.alloc(0));
    } else if (type === Type.PING && (flags & Flag.ACK) === 0) this.#frame(Type.PING, Flag.ACK, 0, payload);
    else if (type === Type.HEADERS || type === Type.CONTINUATION) {
      let from = 0;
      let to = payload.length;
      if (type === Type.HEADERS && (flags & Flag.PADDED) !== 0) {
        from = 1;
        to -= payload[0] as number;
      }
      if (type === Type.HEADERS && (flags & Flag.PRIORITY) !== 0) from += 5;
      this.#fragments.push(payload.subarray(from, to));
      if ((flags & Flag.END_HEADERS) === 0) return;
      const block = Buffer.concat(this.#fragments);
      this.#fragments = [];
      this.#listener.block(this, stream, block);
    }
  }
}
