/**
 * A version on its way to a peer: in a snapshot, or as the answer to one who asked for it. C1 It is
 * as large as the bounds of its tables are long: where a message cannot hold it, the message only
 * says which version it is and how long, and the receiver asks its owner for one part after the
 * other. The owner keeps it as long as the transfer lives.
 *
 *     notice   format u8 (never that of a manifest) | bytes u53 | last index, term varint
 *     request  last index, term varint | offset u53       answer  bytes from there on; none: gone
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter, MiB } from '../../base/bytes.js';
import { atOnce, copyInSlices, drive } from '../../base/drive.js';
import type { Env } from '../../base/env.js';
import { CodecError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { MAX_MESSAGE_BYTES } from '../base/limits.js';
import { decodeManifestInSlices, encodeManifest, measureManifest } from '../../storage/version/manifest-codec.js';
import type { LogPosition, Version } from '../../storage/version/version.js';

export const VERSION_PART_METHOD = 'snapshot.manifest-part';

/** A manifest begins with its own format, which is another number. */
const NOTICE_FORMAT = 0xfe;
/** A version that is larger goes in parts; the others as every program could always read them. */
const WHOLE_BYTES_MAX = MAX_MESSAGE_BYTES - 2 * MiB;
/** No manifest file holds more. */
const VERSION_BYTES_MAX = 2048 * MiB;
const CALL_MS = 5_000;

/** All of it, or a notice. */
export function messageOfVersion(manifest: Version, wholeBytesMax = WHOLE_BYTES_MAX): Uint8Array {
  const bytes = atOnce(measureManifest(manifest));
  if (bytes <= wholeBytesMax) return encodeManifest(manifest);
  const out = new ByteWriter(32).u8(NOTICE_FORMAT).u53(bytes);
  return out.varint(manifest.last.index).varint(manifest.last.term).finish();
}

export interface ReceivedVersion {
  /** Its encoding, whole. */
  readonly bytes: Uint8Array;
  readonly manifest: Version;
}

/**
 * What `message`, which came from `from`, says or promises. Rejects with CodecError and
 * NetworkError; gives up between two parts once `token` is cancelled.
 */
export async function receiveVersion(
  env: Pick<Env, 'network' | 'workers'>, from: NodeId, message: Uint8Array, token?: { readonly cancelled: boolean },
): Promise<ReceivedVersion> {
  const bytes = message[0] === NOTICE_FORMAT ? await fetchParts(env, from, message, token) : message;
  return { bytes, manifest: await drive(decodeManifestInSlices(bytes), env.workers) };
}

async function fetchParts(
  { network, workers }: Pick<Env, 'network' | 'workers'>, from: NodeId, notice: Uint8Array, token?: { readonly cancelled: boolean },
): Promise<Uint8Array> {
  const input = new ByteReader(notice, 'notice of a version', 1);
  const total = input.u53();
  const last: LogPosition = { index: input.varint(), term: input.varint() };
  input.end();
  if (total > VERSION_BYTES_MAX) throw new CodecError(`a version of ${total} bytes`);
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length < total) {
    if (token?.cancelled === true) throw new CodecError('the version is not wanted any more');
    const request = new ByteWriter(24).varint(last.index).varint(last.term).u53(length).finish();
    const part = await network.call(from, VERSION_PART_METHOD, request, CALL_MS);
    if (part.length === 0 || length + part.length > total) {
      throw new CodecError(`a part of ${part.length} bytes at ${length} of the version at ${last.index}, which has ${total}`);
    }
    parts.push(part);
    length += part.length;
  }
  // Only what is here takes memory, whatever a peer says is to come.
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    await drive(copyInSlices(bytes, at, part), workers);
    at += part.length;
  }
  assert(at === total, 'S2 the parts are all of the version');
  return bytes;
}
