/**
 * A hint: one node's confirmed knowledge that its own file of one table is faulty (H1). There is at
 * most one per table and node, so that a flood of faults in one file stays one record: offsets
 * collapse to "all" beyond 64, and kinds merge to the worst. It carries birth and file digest,
 * because ids may be reused by nobody but are meaningless without the bytes they stood for.
 */

import { assert } from '../../base/assert.js';
import type { ByteReader } from '../../base/bytes.js';
import { ByteWriter } from '../../base/bytes.js';
import { readDigest, writeDigest } from '../../base/digest.js';
import { CodecError } from '../../base/errors.js';
import type { Digest128, NodeId, TableId } from '../../base/ids.js';
import type { HintKind } from '../status/hint-status.js';
import { readBirth, writeBirth } from '../../storage/table/birth-codec.js';
import type { Birth } from '../../storage/table/table-meta.js';

export interface Hint {
  readonly tableId: TableId;
  readonly birth: Birth;
  readonly fileDigest: Digest128;
  readonly kind: HintKind;
  /** Of the faulty regions, ascending; undefined: all. */
  readonly offsets: readonly number[] | undefined;
  /** The node whose copy is bad. */
  readonly node: NodeId;
  /** The confirming read passed the caches. */
  readonly pastCache: boolean;
}

export const HINT_OFFSETS_MAX = 64;

/** From the mildest to the worst; the index is the byte on disk and wire. */
const KINDS: readonly HintKind[] = ['parity', 'corrected', 'unreadable', 'missing'];

export function severity(kind: HintKind): number {
  return KINDS.indexOf(kind);
}

/** Ascending, each once; undefined, which means all, beyond the most that a hint names. */
export function bounded(offsets: readonly number[] | undefined): readonly number[] | undefined {
  if (offsets === undefined) return undefined;
  const unique = [...new Set(offsets)].sort((a, b) => a - b);
  assert(unique.every((offset) => offset >= 0), 'H1 a fault lies in its file');
  return unique.length > HINT_OFFSETS_MAX ? undefined : unique;
}

/** What both say together. The result is `a` itself if `b` adds nothing. */
export function mergeHints(a: Hint, b: Hint): Hint {
  const kind = severity(b.kind) > severity(a.kind) ? b.kind : a.kind;
  const offsets = a.offsets === undefined || b.offsets === undefined ? undefined : bounded([...a.offsets, ...b.offsets]);
  const pastCache = a.pastCache || b.pastCache;
  assert(offsets === undefined || a.offsets !== undefined, 'H2 what was said of the whole file stays said');
  if (kind === a.kind && pastCache === a.pastCache && offsets?.length === a.offsets?.length) return a;
  return { ...a, kind, offsets, pastCache };
}

function writeHint(out: ByteWriter, hint: Hint): void {
  assert(severity(hint.kind) >= 0, `H1 a hint says ${hint.kind}`);
  assert((hint.offsets?.length ?? 0) <= HINT_OFFSETS_MAX, `H1 a hint names ${hint.offsets?.length} places`);
  out.varint(hint.tableId);
  writeBirth(out, hint.birth);
  writeDigest(out, hint.fileDigest);
  out.u8(severity(hint.kind)).varint(hint.node).u8(hint.pastCache ? 1 : 0);
  if (hint.offsets === undefined) out.u8(0xff);
  else {
    out.u8(hint.offsets.length);
    for (const offset of hint.offsets) out.varint(offset);
  }
}

function readHint(input: ByteReader): Hint {
  const tableId = input.varint();
  const birth = readBirth(input);
  const fileDigest = readDigest(input);
  const kind = KINDS[input.u8()];
  if (kind === undefined) throw new CodecError('hint of an unknown kind');
  const node = input.varint();
  const pastCache = input.u8() === 1;
  const count = input.u8();
  if (count === 0xff) return { tableId, birth, fileDigest, kind, offsets: undefined, node, pastCache };
  if (count > HINT_OFFSETS_MAX) throw new CodecError(`hint with ${count} offsets`);
  const offsets: number[] = [];
  for (let i = 0; i < count; i++) offsets.push(input.varint());
  return { tableId, birth, fileDigest, kind, offsets: bounded(offsets), node, pastCache };
}

/** The least a hint takes on the wire: bounds a count before anything is allocated. */
const HINT_BYTES_MIN = 25;

export function encodeHints(hints: readonly Hint[]): Uint8Array {
  const out = new ByteWriter(64 + hints.length * 64);
  out.varint(hints.length);
  for (const hint of hints) writeHint(out, hint);
  return out.finish();
}

export function readHints(input: ByteReader): Hint[] {
  const count = input.count(HINT_BYTES_MIN);
  const hints: Hint[] = [];
  for (let i = 0; i < count; i++) hints.push(readHint(input));
  return hints;
}
