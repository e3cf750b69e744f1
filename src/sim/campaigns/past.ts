/**
 * What trials begin with: the disks of a cluster that lived and ended, what it had acknowledged,
 * and what lies where on each disk. All of it is read before anything is damaged, so that what is
 * left afterwards can be counted from bytes, without asking the code that is on trial.
 */

import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { must } from '../../base/assert.js';
import type { LogIndex, Term } from '../../base/ids.js';
import { resolve } from '../../replica/log/resolve.js';
import { readRest, REST_NAME, REST_SLOTS } from '../../replica/log/rest-record.js';
import { BATCH_HEADER } from '../../replica/log/batch-codec.js';
import { findIdentities } from '../../replica/log/find-identities.js';
import { END_MARK_BYTES, LEAST_BYTES } from '../../replica/log/end-mark.js';
import { freeFrom, scanSegment, type SegmentScan } from '../../replica/log/scan.js';
import { areaAt, generationOf, generationSeed, otherArea, segmentName, STRIPED } from '../../replica/log/segment-layout.js';
import type { Version } from '../../storage/version/version.js';
import type { DiskImage } from '../disk/sim-disk.js';
import type { RunSettings } from '../model/settings.js';

export interface Stretch {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** An entry in the log of one member. */
export interface EntryCopy extends Stretch {
  readonly index: LogIndex;
  readonly term: Term;
  /** Each of them says that it is there: the header of its batch, and the batch's identity. */
  readonly proofs: readonly Stretch[];
  readonly identity: Stretch | undefined;
}

export interface PastMember {
  readonly image: DiskImage;
  /** By path; not to be changed. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** In the log, ascending. */
  readonly entries: readonly EntryCopy[];
  /** What says, byte by byte, that nothing follows in its log. */
  readonly ends: readonly Stretch[];
  /** Where its log was at rest when it ended, and what says so; undefined: it was not. */
  readonly rest: { readonly index: LogIndex; readonly slots: readonly Stretch[] } | undefined;
  /** What its manifest holds. */
  readonly durable: Version;
  /** The copies of each record of the manifest. */
  readonly records: readonly (readonly Stretch[])[];
}

/** What clients wrote. */
export interface Written {
  /** Acknowledged, and nothing else was asked for. */
  readonly acked: ReadonlyMap<string, string>;
  /** Keys of writes whose outcome nobody knows, with what they would have written. */
  readonly unknown: ReadonlyMap<string, string>;
}

export interface Past extends Written {
  readonly settings: RunSettings;
  readonly members: readonly PastMember[];
  /** The entry of the last acknowledged write is at most this. */
  readonly commit: LogIndex;
}

export function filesOf({ names, contents }: DiskImage): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const [path, content] of names) if (content !== 'dir') files.set(path, must(contents[content], `${path} has bytes`));
  return files;
}

export function restOf(files: ReadonlyMap<string, Uint8Array>): PastMember['rest'] {
  const path = `log/${REST_NAME}`;
  const point = readRest(files.get(path) ?? new Uint8Array());
  return point && { index: point.index, slots: REST_SLOTS.map(({ offset, length }) => ({ path, offset, length })) };
}

/** As they lie in a log that nothing has happened to. */
export async function logOf(files: ReadonlyMap<string, Uint8Array>, segmentBytes: number): Promise<Pick<PastMember, 'entries' | 'ends'>> {
  const disk = new MemoryDisk();
  await disk.mkdir('log');
  const generations: number[] = [];
  for (const [path, bytes] of files) {
    const generation = path.startsWith('log/') ? generationOf(path.slice(4)) : undefined;
    if (generation === undefined) continue;
    generations.push(generation);
    const file = await disk.open(path, 'create');
    file.writeSync(bytes, 0);
    file.close();
  }
  generations.sort((a, b) => a - b);
  const scans = await Promise.all(generations.map((generation) => scanSegment(disk, segmentName('log', generation), generation, segmentBytes)));
  const { table } = resolve(scans, { knownCommit: 0, flushedIndex: 0 });
  const proofs = proofsOf(files, scans);
  const entries = Array.from({ length: table.lastIndex - table.baseIndex }, (_, i) => {
    const index = table.baseIndex + 1 + i;
    const { generation, offset, length } = table.place(index);
    const path = segmentName('log', generation);
    const { header, identity } = must(proofs.get(`${path} ${offset}`), `entry ${index} is in a batch`);
    const both = identity === undefined ? [header] : [header, identity];
    return { index, term: table.term(index), path, offset, length, proofs: both, identity };
  });
  return { entries, ends: endsOf(scans) };
}

/**
 * The end marks where the next batch would stand: in the last segment that holds one, and in the
 * one that follows it.
 */
function endsOf(scans: readonly SegmentScan[]): Stretch[] {
  const at = scans.findLastIndex(({ batches }) => batches.length > 0);
  const ends: Stretch[] = [];
  const scan = scans[at];
  const last = scan?.batches.at(-1);
  if (scan !== undefined && last !== undefined) {
    const { layout, generation, batches } = scan;
    const area = layout.format === STRIPED ? otherArea(areaAt(layout, last.offset)) : 0;
    const offset = freeFrom(scan, batches)[area];
    if (offset + LEAST_BYTES <= layout.areas[area].end) ends.push({ path: segmentName('log', generation), offset, length: END_MARK_BYTES });
  }
  const next = scans[at + 1];
  if (next !== undefined) ends.push({ path: segmentName('log', next.generation), offset: next.layout.dataStart, length: END_MARK_BYTES });
  return ends;
}

interface Proofs {
  readonly header: Stretch;
  readonly identity: Stretch | undefined;
}

/** By path and offset of a record. */
function proofsOf(files: ReadonlyMap<string, Uint8Array>, scans: readonly SegmentScan[]): Map<string, Proofs> {
  const proofs = new Map<string, Proofs>();
  for (const { generation, layout, batches } of scans) {
    const path = segmentName('log', generation);
    const identities = findIdentities(must(files.get(path), `${path} is there`), layout, generationSeed(generation), generation);
    for (const batch of batches) {
      const found = identities.find(({ offset, sequence }) => offset === batch.offset && sequence === batch.sequence);
      const identity = found && { path, offset: found.at, length: found.end - found.at };
      for (const { offset } of batch.records) proofs.set(`${path} ${offset}`, { header: { path, offset: batch.offset, length: BATCH_HEADER }, identity });
    }
  }
  return proofs;
}
