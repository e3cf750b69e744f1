/**
 * The answer to a range whose keys and values are encoded already: the `kvs` fields of etcd's
 * RangeResponse, one after the other, as the store packed them from where they lay. There is room
 * before and behind them in the same buffer, for the header and the other fields: the whole message
 * is then there without copying what is large.
 *
 * Who wants to look at keys and values gets them decoded, when asked for. So `kvs` is no property
 * of the object itself, and a spread leaves it out: who copies a response takes `plain()`.
 */

import { assert } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import type { KeyValue, RangeResponse } from '../requests.js';
import { decodeKvs } from './decode-response.js';

/** Bytes: more than any header, and than `more` and `count`. */
export const HEADER_ROOM = 64;
const TAIL_ROOM = 16;

/** A buffer for a body of this many bytes, with the room around it. Not cleared. */
export function roomFor(bodyBytes: number): Buffer {
  return Buffer.allocUnsafe(HEADER_ROOM + bodyBytes + TAIL_ROOM);
}

/** Not cleared, and nothing else is in the same memory. */
export function chunkOf(bytes: number): Buffer {
  return Buffer.allocUnsafeSlow(bytes);
}

/** How far an answer goes. */
export interface Extent {
  readonly keys: number;
  /** Empty if there is none. */
  readonly lastKey: Uint8Array;
}

export class PackedRange implements RangeResponse {
  readonly revision: Revision;
  readonly more: boolean;
  readonly count: number;
  /** Undefined: what is packed has to be decoded for it. */
  readonly extent: Extent | undefined;
  readonly #bytes: Buffer;
  #kvs: readonly KeyValue[] | undefined;
  /** The room is used: what was framed belongs to whoever has it. */
  #framed = false;

  /** Takes the buffer: HEADER_ROOM, the fields, TAIL_ROOM. */
  constructor(bytes: Buffer, revision: Revision, more: boolean, count: number, extent?: Extent) {
    assert(bytes.length >= HEADER_ROOM + TAIL_ROOM, 'packed with room around it');
    this.#bytes = bytes;
    this.revision = revision;
    this.more = more;
    this.count = count;
    this.extent = extent;
  }

  /** Views of the packed bytes. */
  get kvs(): readonly KeyValue[] {
    const { buffer, byteOffset, length } = this.body;
    return (this.#kvs ??= decodeKvs(new Uint8Array(buffer, byteOffset, length)));
  }

  /** The same with `kvs` as a property like the others. */
  plain(): RangeResponse {
    const { revision, kvs, more, count } = this;
    return { revision, kvs, more, count };
  }

  toJSON(): RangeResponse {
    return this.plain();
  }

  get bodyBytes(): number {
    return this.#bytes.length - HEADER_ROOM - TAIL_ROOM;
  }

  /** The `kvs` fields. */
  get body(): Buffer {
    return this.#bytes.subarray(HEADER_ROOM, this.#bytes.length - TAIL_ROOM);
  }

  /** The body with this much room around it, once; undefined: copy it. */
  frame(before: number, behind: number): Buffer | undefined {
    if (this.#framed || before > HEADER_ROOM || behind > TAIL_ROOM) return undefined;
    this.#framed = true;
    return this.#bytes.subarray(HEADER_ROOM - before, this.#bytes.length - TAIL_ROOM + behind);
  }
}

/** Of a range that was packed nothing is decoded for it. */
export function extentOf(response: RangeResponse): Extent {
  if (response instanceof PackedRange && response.extent !== undefined) return response.extent;
  const { kvs } = response;
  return { keys: kvs.length, lastKey: kvs.at(-1)?.key ?? EMPTY };
}
