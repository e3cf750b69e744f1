/** The owner's side of a version that goes to a peer in parts (`version-message.ts`). */

import { ByteReader, MiB } from '../../base/bytes.js';
import { copyInSlices, drive } from '../../base/drive.js';
import type { Env } from '../../base/env.js';
import type { NodeId } from '../../base/ids.js';
import { manifestPieces, measureManifest } from '../../storage/version/manifest-codec.js';
import type { Version } from '../../storage/version/version.js';
import type { SnapshotSender } from './snapshot-sender.js';

const PART_BYTES = 4 * MiB;

/** The serving side of a part. Rejects with CodecError. */
export async function servePart(
  { workers }: Pick<Env, 'workers'>, owner: Pick<SnapshotSender, 'kept'>, to: NodeId, request: Uint8Array,
): Promise<Uint8Array> {
  const input = new ByteReader(request, 'request for a part of a version');
  const last = { index: input.varint(), term: input.varint() };
  const at = input.u53();
  input.end();
  const manifest = owner.kept(to, last);
  return manifest === undefined ? new Uint8Array(0) : drive(cut(manifest, at), workers);
}

/** Bytes `from` on, up to a part of them. */
function* cut(manifest: Version, from: number): Generator<void, Uint8Array> {
  const end = Math.min(from + PART_BYTES, yield* measureManifest(manifest));
  const part = new Uint8Array(Math.max(0, end - from));
  let at = 0;
  for (const piece of manifestPieces(manifest)) {
    const next = at + piece.length;
    if (next > from && at < end) yield* copyInSlices(part, Math.max(0, at - from), piece.subarray(Math.max(0, from - at), end - at));
    at = next;
    if (at >= end) break;
  }
  return part;
}
