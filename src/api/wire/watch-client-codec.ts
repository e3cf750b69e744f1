/** The client's half of the Watch codecs. */

import { EMPTY, fromUtf8 } from '../../base/bytes.js';
import type { ResponseHeader } from '../requests.js';
import type { WatchCreateRequest, WatchEvent, WatchRequest, WatchResponse } from '../watch.js';
import { NO_HEADER, readHeader } from './decode-response.js';
import { bytesFieldSize, int64FieldSize, messageFieldSize, ProtoWriter } from './proto-writer.js';
import { ProtoReader } from './proto-reader.js';
import { boolSize, NO_DELETE, NO_PUT } from './watch-codec.js';
import { EVENTS_TAG, readEvent } from './watch-event.js';

/** As a client gets it. */
export interface WatchAnswer extends WatchResponse {
  readonly header: ResponseHeader;
}

function createSize(r: WatchCreateRequest): number {
  return (
    bytesFieldSize(r.key) + bytesFieldSize(r.rangeEnd) + int64FieldSize(r.startRevision) + boolSize(r.progressNotify) + boolSize(r.noPut) +
    boolSize(r.noDelete) + boolSize(r.prevKv) + int64FieldSize(r.watchId) + boolSize(r.fragment)
  );
}

function writeCreate(w: ProtoWriter, r: WatchCreateRequest): void {
  w.bytesField(10, r.key);
  w.bytesField(18, r.rangeEnd);
  w.int64Field(24, r.startRevision);
  w.boolField(32, r.progressNotify);
  // Not packed, which every reader takes as well.
  for (const [filter, wanted] of [[NO_PUT, r.noPut], [NO_DELETE, r.noDelete]] as const) {
    if (!wanted) continue;
    w.byte(40);
    w.byte(filter);
  }
  w.boolField(48, r.prevKv);
  w.int64Field(56, r.watchId);
  w.boolField(64, r.fragment);
}

export function encodeWatchRequest(request: WatchRequest): Uint8Array {
  switch (request.kind) {
    case 'create': {
      const size = createSize(request.create);
      const w = new ProtoWriter(messageFieldSize(size));
      w.message(10, size);
      writeCreate(w, request.create);
      return w.finish();
    }
    case 'cancel': {
      const size = int64FieldSize(request.watchId);
      const w = new ProtoWriter(messageFieldSize(size));
      w.message(18, size);
      w.int64Field(8, request.watchId);
      return w.finish();
    }
    case 'progress': return Uint8Array.of(26, 0);
    case 'nothing': return EMPTY;
  }
}

/** Throws CodecError. Keys and values are views of `bytes`. */
export function decodeWatchResponse(bytes: Uint8Array): WatchAnswer {
  const r = new ProtoReader(bytes);
  const end = bytes.length;
  let header = NO_HEADER;
  let watchId = 0;
  let compactRevision = 0;
  let cancelReason = '';
  const flags = { created: false, canceled: false, fragment: false };
  const events: WatchEvent[] = [];
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: header = readHeader(r, r.lengthEnd(end)); break;
      case 16: watchId = r.int64(end); break;
      case 24: flags.created = r.bool(end); break;
      case 32: flags.canceled = r.bool(end); break;
      case 40: compactRevision = r.int64(end); break;
      case 50: cancelReason = fromUtf8(r.view(end)); break;
      case 56: flags.fragment = r.bool(end); break;
      case EVENTS_TAG: events.push(readEvent(r, r.lengthEnd(end))); break;
      default: r.skip(tag, end);
    }
  }
  return { header, revision: header.revision, watchId, compactRevision, cancelReason, ...flags, events };
}
