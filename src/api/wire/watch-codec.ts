/** The server's half of the Watch codecs, by hand: each event of each watcher goes through it. */

import { EMPTY, utf8 } from '../../base/bytes.js';
import { SLICE_BYTES } from '../../base/drive.js';
import type { WatchCreateRequest, WatchRequest, WatchResponse } from '../watch.js';
import { bytesFieldSize, int64FieldSize, messageFieldSize, ProtoWriter } from './proto-writer.js';
import { ProtoReader } from './proto-reader.js';
import { PackedWatchResponse } from './packed-events.js';
import { eventBytes } from './watch-event.js';

/** etcd's filters. */
export const NO_PUT = 0;
export const NO_DELETE = 1;

/** The last of several counts, as in protobuf. Throws CodecError. */
export function decodeWatchRequest(bytes: Uint8Array): WatchRequest {
  const r = new ProtoReader(bytes);
  const end = bytes.length;
  let request: WatchRequest = { kind: 'nothing' };
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: request = { kind: 'create', create: readCreate(r, r.lengthEnd(end)) }; break;
      case 18: request = { kind: 'cancel', watchId: readCancel(r, r.lengthEnd(end)) }; break;
      case 26:
        r.skip(tag, end);
        request = { kind: 'progress' };
        break;
      default: r.skip(tag, end);
    }
  }
  return request;
}

function readCreate(r: ProtoReader, end: number): WatchCreateRequest {
  let key: Uint8Array = EMPTY;
  let rangeEnd: Uint8Array = EMPTY;
  let startRevision = 0;
  let watchId = 0;
  const flags = { progressNotify: false, prevKv: false, fragment: false };
  const filters = new Set<number>();
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: key = r.view(end); break;
      case 18: rangeEnd = r.view(end); break;
      case 24: startRevision = r.int64(end); break;
      case 32: flags.progressNotify = r.bool(end); break;
      case 40: filters.add(r.uint32(end)); break;
      case 42:
        for (const to = r.lengthEnd(end); r.at < to;) filters.add(r.uint32(to));
        break;
      case 48: flags.prevKv = r.bool(end); break;
      case 56: watchId = r.int64(end); break;
      case 64: flags.fragment = r.bool(end); break;
      default: r.skip(tag, end);
    }
  }
  return { key, rangeEnd, startRevision, watchId, ...flags, noPut: filters.has(NO_PUT), noDelete: filters.has(NO_DELETE) };
}

function readCancel(r: ProtoReader, end: number): number {
  let watchId = 0;
  while (r.at < end) {
    const tag = r.tag(end);
    if (tag === 8) watchId = r.int64(end);
    else r.skip(tag, end);
  }
  return watchId;
}

export const boolSize = (value: boolean): number => (value ? 2 : 0);

/** In slices: a message may hold very many events. Those that are packed are not copied. */
export function* encodeWatchResponse(prefix: Uint8Array, term: number, response: WatchResponse): Generator<void, Uint8Array> {
  if (response instanceof PackedWatchResponse) return encodePacked(prefix, term, response);
  const { events } = response;
  let size = headSize(prefix, term, response);
  for (const event of events) size += eventBytes(event).length;
  const w = new ProtoWriter(size);
  writeHead(w, prefix, term, response);
  let written = 0;
  for (const event of events) {
    const bytes = eventBytes(event);
    w.raw(bytes);
    written += bytes.length;
    if (written < SLICE_BYTES) continue;
    written = 0;
    yield;
  }
  return w.finish();
}

function encodePacked(prefix: Uint8Array, term: number, response: PackedWatchResponse): Uint8Array {
  const { packed } = response;
  const size = headSize(prefix, term, response);
  const framed = packed.frame(size);
  const w = new ProtoWriter(framed ?? size + packed.length);
  writeHead(w, prefix, term, response);
  if (framed === undefined) w.raw(packed.body);
  else w.skip(packed.length);
  return w.finish();
}

/** Of all that is not an event. */
function headSize(prefix: Uint8Array, term: number, response: WatchResponse): number {
  const { watchId, created, canceled, compactRevision, cancelReason, fragment } = response;
  let size = messageFieldSize(headerSize(prefix, term, response)) + int64FieldSize(watchId) + boolSize(created) + boolSize(canceled);
  size += int64FieldSize(compactRevision) + boolSize(fragment);
  return cancelReason === '' ? size : size + bytesFieldSize(utf8(cancelReason));
}

function headerSize(prefix: Uint8Array, term: number, { revision }: WatchResponse): number {
  return prefix.length + int64FieldSize(revision) + int64FieldSize(term);
}

function writeHead(w: ProtoWriter, prefix: Uint8Array, term: number, response: WatchResponse): void {
  const { revision, watchId, created, canceled, compactRevision, cancelReason, fragment } = response;
  w.message(10, headerSize(prefix, term, response));
  w.raw(prefix);
  w.int64Field(24, revision);
  w.int64Field(32, term);
  w.int64Field(16, watchId);
  w.boolField(24, created);
  w.boolField(32, canceled);
  w.int64Field(40, compactRevision);
  if (cancelReason !== '') w.bytesField(50, utf8(cancelReason));
  w.boolField(56, fragment);
}
