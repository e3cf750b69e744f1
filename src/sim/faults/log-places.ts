/**
 * The segments of a node's log as the medium has them. Only batches whose identity record is sound
 * are listed: these are the ones that a damaged log can prove to have existed (R6), so damage to
 * them can never pass for a torn write.
 */

import type { Term } from '../../base/ids.js';
import { BATCH_HEADER, decodeBatchHeader, decodeRecordHead } from '../../replica/log/batch-codec.js';
import { findIdentities } from '../../replica/log/find-identities.js';
import type { BatchIdentity } from '../../replica/log/identity-codec.js';
import { findLayout, middleHeaders } from '../../replica/log/scan.js';
import {
  align8, areaAt, decodeHeader, generationOf, generationSeed, HEADER_BYTES, type SegmentLayout,
} from '../../replica/log/segment-layout.js';
import type { SimDisk } from '../disk/sim-disk.js';

export interface BatchPlace {
  readonly offset: number;
  /** Up to where the next batch may begin. */
  readonly length: number;
  readonly sequence: number;
  readonly previousIndex: number;
  /** Index of its last entry; `previousIndex` if it has none. */
  readonly last: number;
  /** Of its entries, in order. */
  readonly terms: readonly Term[];
  /** Header and all records are as they were written. */
  readonly whole: boolean;
  readonly records: readonly { readonly offset: number; readonly length: number }[];
  readonly identityAt: number;
  readonly identityLength: number;
  /**
   * Its identity is the last that is in its area, in the newest segment in use: the end mark behind
   * it says that nothing followed, and without it nobody knows where this log ended.
   */
  readonly endsArea: boolean;
}

export interface SegmentPlaces {
  readonly path: string;
  readonly generation: number;
  readonly layout: SegmentLayout;
  /** The file has the size that it was made with. */
  readonly sizeGood: boolean;
  /** Of the sound ones of the two headers. */
  readonly headerAt: readonly number[];
  /** One of these is sound, or the third copy in the middle: what lies between counts. */
  readonly headed: boolean;
  /** In the order of their offsets. */
  readonly batches: readonly BatchPlace[];
}

const NOTHING = new Uint8Array(0);

/** Oldest first. */
export function readSegments(disk: SimDisk, segmentBytes: number): SegmentPlaces[] {
  const segments: SegmentPlaces[] = [];
  for (const { path } of disk.list()) {
    const generation = path.startsWith('log/') ? generationOf(path.slice(4)) : undefined;
    const bytes = generation === undefined ? undefined : disk.medium(path);
    if (generation === undefined || bytes === undefined) continue;
    // What a bad sector hides counts as damaged already: nothing more is done there.
    const readable = disk.badSectors(path).length === 0;
    segments.push(readSegment(path, generation, readable ? bytes : NOTHING, segmentBytes));
  }
  segments.sort((a, b) => a.generation - b.generation);
  const newest = segments.findLastIndex(({ batches }) => batches.length > 0);
  return segments.map((segment, at) => (at < newest ? segment : withEnds(segment)));
}

function withEnds(segment: SegmentPlaces): SegmentPlaces {
  const { layout, batches } = segment;
  const isLast = (at: number): boolean => {
    const follows = (other: number): boolean => other > at && areaAt(layout, other) === areaAt(layout, at);
    return !batches.some(({ offset, identityAt }) => follows(offset) || follows(identityAt));
  };
  return { ...segment, batches: batches.map((batch) => ({ ...batch, endsArea: isLast(batch.identityAt) })) };
}

function readSegment(path: string, generation: number, bytes: Uint8Array, segmentBytes: number): SegmentPlaces {
  const layout = findLayout(bytes, generation, segmentBytes);
  const sizeGood = bytes.length === layout.bytes;
  const headerAt = [0, layout.identityEnd].filter((at) =>
    at + HEADER_BYTES <= bytes.length && decodeHeader(bytes, at)?.generation === generation);
  const headed = headerAt.length > 0 || middleHeaders(bytes, generation, layout.bytes).length > 0;
  return { path, generation, layout, sizeGood, headerAt, headed, batches: sizeGood ? readBatches(bytes, generation, layout) : [] };
}

function readBatches(bytes: Uint8Array, generation: number, layout: SegmentLayout): BatchPlace[] {
  const seed = generationSeed(generation);
  const identities = findIdentities(bytes, layout, seed, generation);
  return identities.map((identity) => batchOf(bytes, generation, seed, layout, identity)).sort((a, b) => a.offset - b.offset);
}

function batchOf(bytes: Uint8Array, generation: number, seed: number, layout: SegmentLayout, identity: BatchIdentity): BatchPlace {
  const { offset, sequence, previousIndex, lengths, terms } = identity;
  const area = bytes.subarray(0, layout.areas[areaAt(layout, offset)].end);
  const view = new DataView(area.buffer, area.byteOffset, area.byteLength);
  let whole = decodeBatchHeader(area, view, offset, seed, generation)?.sequence === sequence;
  let at = offset + BATCH_HEADER;
  const records = lengths.map((length, i) => {
    const head = decodeRecordHead(area, view, at, at + length, seed);
    if (head?.index !== previousIndex + 1 + i || head.term !== terms[i]) whole = false;
    const record = { offset: at, length };
    at += length;
    return record;
  });
  return {
    offset, length: align8(at) - offset, sequence, previousIndex, last: previousIndex + lengths.length, terms, whole, records,
    identityAt: identity.at, identityLength: identity.end - identity.at, endsArea: false,
  };
}
