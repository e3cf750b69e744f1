/** The messages of kintsugi.v1.Peer by hand: batches of frames and calls. */

import { CodecError } from '../../base/errors.js';
import { fromUtf8, utf8 } from '../../base/bytes.js';
import type { OutgoingBatch } from './outgoing.js';
import { ProtoReader } from '../../api/wire/proto-reader.js';
import { ProtoWriter, bytesFieldSize, messageFieldSize } from '../../api/wire/proto-writer.js';

export const STREAM_PATH = '/kintsugi.v1.Peer/Stream';
export const CALL_PATH = '/kintsugi.v1.Peer/Call';
/** A call of no member: what cluster is this, and who is in it? */
export const DESCRIBE_PATH = '/kintsugi.v1.Peer/Describe';
/** How a refusal begins that a member gets which was removed from the cluster. */
export const REMOVED_WORDS = 'the cluster has removed this member';

export const META_CLUSTER = 'kintsugi-cluster-id';
export const META_FROM = 'kintsugi-from';
export const META_TO = 'kintsugi-to';
/** Where the sender is found: said once the members are no longer those of the flags. */
export const META_URL = 'kintsugi-peer-url';
/** In the answer to a stream: the format of chunks that are taken; without it none are. */
export const META_CHUNKS = 'kintsugi-chunks';
/** There as well: the format of questions that are answered over the streams. */
export const META_ASKS = 'kintsugi-asks';

/** `FrameBatch{repeated bytes frames = 1; bytes chunk = 2}`. */
export function encodeBatch({ frames, chunk }: Pick<OutgoingBatch, 'frames' | 'chunk'>): Buffer {
  const chunkBytes = chunk === undefined ? 0 : chunk.head.length + chunk.bytes.length;
  let size = chunk === undefined ? 0 : messageFieldSize(chunkBytes);
  for (const frame of frames) size += messageFieldSize(frame.length);
  const out = new ProtoWriter(size);
  for (const frame of frames) {
    out.message(10, frame.length);
    out.raw(frame);
  }
  if (chunk !== undefined) {
    out.message(18, chunkBytes);
    out.raw(chunk.head);
    out.raw(chunk.bytes);
  }
  return out.finish();
}

/** Calls `onFrame` with a view of each frame, `onChunk` with a view of each part of one. */
export function decodeBatch(bytes: Uint8Array, onFrame: (frame: Uint8Array) => void, onChunk: (chunk: Uint8Array) => void): void {
  const r = new ProtoReader(bytes);
  const end = bytes.length;
  while (r.at < end) {
    const tag = r.tag(end);
    if (tag === 10) onFrame(r.view(end));
    else if (tag === 18) onChunk(r.view(end));
    else r.skip(tag, end);
  }
}

export function encodeCall(method: string, payload: Uint8Array): Buffer {
  const name = utf8(method);
  const out = new ProtoWriter(bytesFieldSize(name) + bytesFieldSize(payload));
  out.bytesField(10, name);
  out.bytesField(18, payload);
  return out.finish();
}

export function decodeCall(bytes: Uint8Array): { method: string; payload: Uint8Array } {
  const r = new ProtoReader(bytes);
  const end = bytes.length;
  let method = '';
  let payload: Uint8Array = new Uint8Array(0);
  while (r.at < end) {
    const tag = r.tag(end);
    if (tag === 10) method = fromUtf8(r.view(end));
    else if (tag === 18) payload = r.view(end);
    else r.skip(tag, end);
  }
  if (method === '') throw new CodecError('call without a method');
  return { method, payload };
}

export function encodeReply(payload: Uint8Array): Buffer {
  const out = new ProtoWriter(bytesFieldSize(payload));
  out.bytesField(10, payload);
  return out.finish();
}

export function decodeReply(bytes: Uint8Array): Uint8Array {
  const r = new ProtoReader(bytes);
  let payload: Uint8Array = new Uint8Array(0);
  while (r.at < bytes.length) {
    const tag = r.tag(bytes.length);
    if (tag === 10) payload = r.view(bytes.length);
    else r.skip(tag, bytes.length);
  }
  return payload;
}
