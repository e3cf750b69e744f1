/**
 * What a server has made of the bytes of a client, read from the bytes that it answered. The class
 * of an outcome is what a client depends on: was it answered, did only this stream end, or all.
 */

import { HpackDecoder } from '../../hpack/decoder.js';
import { F, T, parseFrames } from '../frames.js';

/** `status`: headers have come. `answered`: and all that belongs to them. */
export type StreamOutcome =
  | { readonly kind: 'answered'; readonly status: string; readonly body: Buffer; readonly trailers: string | undefined }
  | { readonly kind: 'begun'; readonly status: string }
  | { readonly kind: 'reset'; readonly code: number };

export interface Verdict {
  /** Code of a GOAWAY that ends the connection; undefined: none has come. */
  readonly failed: number | undefined;
  /** The server has closed, with or without a word. */
  readonly closed: boolean;
  readonly streams: ReadonlyMap<number, StreamOutcome>;
  /** Acknowledgements of pings and settings. */
  readonly pings: number;
  readonly settings: number;
}

class Reading {
  readonly #status: string;
  readonly #decoder = new HpackDecoder();
  readonly streams = new Map<number, StreamOutcome>();
  readonly #parts = new Map<number, { status: string; body: Buffer[] }>();
  #block: { id: number; end: boolean; parts: Buffer[] } | undefined = undefined;
  failed: number | undefined = undefined;
  pings = 0;
  settings = 0;

  constructor(status: string) {
    this.#status = status;
  }

  frame(type: number, flags: number, id: number, payload: Buffer): void {
    switch (type) {
      case T.HEADERS:
        this.#block = { id, end: (flags & F.END_STREAM) !== 0, parts: [payload] };
        if ((flags & F.END_HEADERS) !== 0) this.#headers();
        return;
      case T.CONTINUATION:
        this.#block?.parts.push(payload);
        if ((flags & F.END_HEADERS) !== 0) this.#headers();
        return;
      case T.DATA:
        this.#parts.get(id)?.body.push(payload);
        if ((flags & F.END_STREAM) !== 0) this.#end(id, undefined);
        return;
      case T.RST_STREAM:
        // What was answered whole stays so: the reset only says that nothing more is read.
        if (this.streams.get(id)?.kind !== 'answered') this.streams.set(id, { kind: 'reset', code: payload.readUInt32BE(0) });
        return;
      case T.GOAWAY:
        if (payload.readUInt32BE(4) !== 0) this.failed = payload.readUInt32BE(4);
        return;
      case T.PING:
        if ((flags & F.ACK) !== 0) this.pings++;
        return;
      case T.SETTINGS:
        if ((flags & F.ACK) !== 0) this.settings++;
    }
  }

  #headers(): void {
    const { id, end, parts } = this.#block as { id: number; end: boolean; parts: Buffer[] };
    this.#block = undefined;
    const fields: Record<string, string> = {};
    const bytes = Buffer.concat(parts);
    const field = ({ name, value }: { readonly name: string; readonly value: string }): boolean => {
      fields[name] = value;
      return true;
    };
    if (this.#decoder.decode(bytes, 0, bytes.length, { field }) !== 'ok') throw new Error('the server sends a header block that is broken');
    const known = this.#parts.get(id);
    if (known === undefined) {
      const status = fields[':status'] ?? '';
      this.#parts.set(id, { status, body: [] });
      this.streams.set(id, { kind: 'begun', status });
    }
    if (end) this.#end(id, fields[this.#status]);
  }

  #end(id: number, trailers: string | undefined): void {
    const { status = '', body = [] } = this.#parts.get(id) ?? {};
    this.streams.set(id, { kind: 'answered', status, body: Buffer.concat(body), trailers });
  }
}

/**
 * `closed`: the server has closed the transport. `status`: the trailer that is kept. Throws for
 * bytes that no server may send.
 */
export function verdictOf(output: Buffer, closed: boolean, status = 'x-status'): Verdict {
  const reading = new Reading(status);
  for (const { type, flags, id, payload } of parseFrames(output).frames) reading.frame(type, flags, id, payload);
  return { failed: reading.failed, closed, streams: reading.streams, pings: reading.pings, settings: reading.settings };
}
