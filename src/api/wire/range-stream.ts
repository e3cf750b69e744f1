/**
 * The messages of KV.RangeStream: `RangeStreamResponse{1 range_response}`. All but the last hold
 * keys and values alone; merged as protobuf merges messages they are what Range answers.
 */

import { CodecError } from '../../base/errors.js';
import type { RangeResponse, Reply } from '../requests.js';
import { decodeRangeResponse } from './decode-response.js';
import { encodeRangeKvs, encodeRangeResponse } from './encode-response.js';
import { PackedRange } from './packed-range.js';
import { ProtoReader } from './proto-reader.js';
import { messageFieldSize, ProtoWriter } from './proto-writer.js';

const RANGE_RESPONSE = 10;

/** Keys and values, and nothing else of the response. Of a packed one they are not copied. */
export function encodeRangeChunk(response: RangeResponse): Buffer {
  if (response instanceof PackedRange) {
    const { bodyBytes } = response;
    const frame = response.frame(messageFieldSize(bodyBytes) - bodyBytes, 0);
    if (frame !== undefined) {
      const inPlace = new ProtoWriter(frame);
      inPlace.message(RANGE_RESPONSE, bodyBytes);
      inPlace.skip(bodyBytes);
      return inPlace.finish();
    }
  }
  return wrapped(encodeRangeKvs(response));
}

/** The last: `revision` and `count` are those of the whole range. */
export function encodeLastRangeChunk(prefix: Uint8Array, term: number, response: RangeResponse): Buffer {
  return wrapped(encodeRangeResponse(prefix, term, response));
}

function wrapped(inner: Uint8Array): Buffer {
  const w = new ProtoWriter(messageFieldSize(inner.length));
  w.message(RANGE_RESPONSE, inner.length);
  w.raw(inner);
  return w.finish();
}

/** Throws CodecError. Views of `bytes`. */
export function decodeRangeChunk(bytes: Uint8Array): Reply<RangeResponse> {
  const r = new ProtoReader(bytes);
  let inner: Uint8Array | undefined;
  while (r.at < bytes.length) {
    const tag = r.tag(bytes.length);
    if (tag === RANGE_RESPONSE) inner = r.view(bytes.length);
    else r.skip(tag, bytes.length);
  }
  if (inner === undefined) throw new CodecError('a chunk without a range response');
  return decodeRangeResponse(inner);
}
