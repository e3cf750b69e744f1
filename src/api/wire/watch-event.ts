/**
 * An event of a watch, as all watchers of it share it: its bytes are made once, however many
 * messages it goes into.
 */

import { EMPTY } from '../../base/bytes.js';
import type { KeyValue } from '../requests.js';
import type { WatchEvent } from '../watch.js';
import { readKv } from './decode-response.js';
import { kvSize, writeKv } from './encode-response.js';
import type { ProtoReader } from './proto-reader.js';
import { messageFieldSize, ProtoWriter } from './proto-writer.js';

/** Of `events` in a WatchResponse. */
export const EVENTS_TAG = 90;

export class SharedEvent implements WatchEvent {
  readonly type: 'put' | 'delete';
  readonly kv: KeyValue;
  readonly prevKv: KeyValue | undefined;
  #encoded: Uint8Array | undefined;

  constructor(type: 'put' | 'delete', kv: KeyValue, prevKv: KeyValue | undefined) {
    this.type = type;
    this.kv = kv;
    this.prevKv = prevKv;
  }

  /** As a field of a WatchResponse, with its tag and length. */
  get encoded(): Uint8Array {
    return (this.#encoded ??= encodeEvent(this));
  }
}

/** Any event's bytes: those that are kept, if there are. */
export function eventBytes(event: WatchEvent): Uint8Array {
  return event instanceof SharedEvent ? event.encoded : encodeEvent(event);
}

function encodeEvent({ type, kv, prevKv }: WatchEvent): Uint8Array {
  const prevBytes = prevKv === undefined ? 0 : messageFieldSize(kvSize(prevKv));
  const size = (type === 'delete' ? 2 : 0) + messageFieldSize(kvSize(kv)) + prevBytes;
  const w = new ProtoWriter(messageFieldSize(size));
  w.message(EVENTS_TAG, size);
  if (type === 'delete') w.int64Field(8, 1);
  writeKv(w, 18, kv);
  if (prevKv !== undefined) writeKv(w, 26, prevKv);
  return w.finish();
}

const NO_KV: KeyValue = { key: EMPTY, createRevision: 0, modRevision: 0, version: 0, value: EMPTY, lease: 0n };

/** Keys and values are views of what is read. Throws CodecError. */
export function readEvent(r: ProtoReader, end: number): WatchEvent {
  let type: 'put' | 'delete' = 'put';
  let kv = NO_KV;
  let prevKv: KeyValue | undefined;
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 8: type = r.uint32(end) === 1 ? 'delete' : 'put'; break;
      case 18: kv = readKv(r, r.lengthEnd(end)); break;
      case 26: prevKv = readKv(r, r.lengthEnd(end)); break;
      default: r.skip(tag, end);
    }
  }
  return { type, kv, prevKv };
}
