/**
 * Opening a log: read all of it past the caches, judge it, then and only then change anything. R6
 * while one live entry is faulty nothing is changed (see `damaged-log.ts`); otherwise the torn tail
 * is zeroed (so that no sound piece of it can later be taken for a successor of what is written
 * next), every file is synced again (a killed process may have left it, or its last repair of it,
 * in the page cache alone) and what stays is then vouched for by identities, before the node acts
 * on it.
 */

import type { Keep } from '../../base/acquiring.js';
import { assert } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import type { EventSink } from '../../base/events.js';
import type { EntryTable } from './entry-table.js';
import { LogError } from './errors.js';
import { resolve, type Cut, type Evidence, type Fault, type Resolution } from './resolve.js';
import { freeFrom, PAGE, scanSegment, type SegmentScan } from './scan.js';
import { areaAt, encodeHeader, generationOf, HEADER_BYTES, segmentName } from './segment-layout.js';
import { Segment, zeroRange, type SegmentStore } from './segment-store.js';
import { vouch } from './vouch.js';

export interface LogContents {
  /** In use, oldest first; the last one is written to. */
  readonly segments: Segment[];
  /** Follow the last one. */
  readonly prepared: Segment[];
  readonly table: EntryTable;
  readonly resolution: Resolution;
}

/** A log as it was found. Nothing has been changed. */
export interface Examined {
  readonly names: readonly string[];
  /** In ascending order of generation. */
  readonly scans: readonly SegmentScan[];
  readonly resolution: Resolution;
}

export async function examine(disk: Disk, { dir, layout }: SegmentStore, evidence: Evidence): Promise<Examined> {
  await disk.mkdir(dir);
  await disk.syncDir('');
  const names = await disk.list(dir);
  const generations = names.map(generationOf).filter((generation) => generation !== undefined).sort((a, b) => a - b);
  const scans: SegmentScan[] = [];
  for (const generation of generations) {
    scans.push(await scanSegment(disk, segmentName(dir, generation), generation, layout.bytes));
  }
  return { names, scans, resolution: resolve(scans, evidence) };
}

/** A log without faults. The files of segments are kept with `keep`. */
export async function openContents(
  disk: Disk, events: EventSink, store: SegmentStore, { names, scans, resolution }: Examined, keep: Keep,
): Promise<LogContents> {
  const { dir } = store;
  assert(resolution.faults.length === 0, `R6 a log with ${resolution.faults.length} faulty entries is not written to`);
  assert(resolution.table.lastIndex >= resolution.commit, `R3 what is committed is in the log: ${resolution.commit} of ${resolution.table.lastIndex}`);
  report(events, dir, scans, resolution);
  await store.sweep(names);
  // Names that a killed process left undurable.
  await disk.syncDir(dir);
  return repair(disk, store, scans, resolution, keep);
}

/** Undefined: no live entry is known to have existed and is bad. */
export function faultOf(dir: string, { faults }: Resolution): LogError | undefined {
  return faults[0] && faulty(dir, faults[0], faults);
}

function faulty(dir: string, fault: Fault, faults: readonly Fault[]): LogError {
  const file = fault.generation === 0 ? `a segment file in ${dir}` : segmentName(dir, fault.generation);
  const where = fault.offset < 0 ? file : `${file}, bytes ${fault.offset} to ${fault.offset + fault.length}`;
  const entry = fault.term === 0 ? `log entry ${fault.index}` : `log entry ${fault.index} of term ${fault.term}`;
  const more = faults.length > 1 ? ` (${faults.length - 1} more are damaged)` : '';
  // R5 R6 this member may have promised it: it takes no part without it.
  return new LogError(
    'ENTRY_FAULTY',
    `${entry} is damaged in ${where}${more}. It is known to have been written (${fault.why}) and may have been acknowledged, ` +
      'so it is never cut off before the other members have been asked, and this member takes no part without it. ' +
      'Keep the data directory and check the disk; if no member has the entry, put the file back from a copy made after its last write.',
    {
      index: fault.index, term: fault.term, segment: file, offset: fault.offset, why: fault.why, count: faults.length,
      entries: faults.slice(0, 64).map(({ index, term }) => ({ index, term })),
    },
  );
}

function report(events: EventSink, dir: string, scans: readonly SegmentScan[], resolution: Resolution): void {
  for (const { generation, oddities } of scans) {
    if (oddities.length === 0) continue;
    const message = `log segment ${segmentName(dir, generation)} is damaged where no needed entry lies: ${oddities.join('; ')}`;
    events.emit({ type: 'warning', message, data: { segment: segmentName(dir, generation) } });
  }
  const { cut, replacedBad, coveredBad, table } = resolution;
  if (cut !== undefined) {
    const message = `the log's torn tail is cut off: ${cut.entries} entries whose write never finished`;
    events.emit({ type: 'warning', message, data: { segment: segmentName(dir, cut.generation), offset: cut.offset } });
  }
  if (replacedBad > 0) events.emit({ type: 'warning', message: 'damaged log entries had been replaced already', data: { entries: replacedBad } });
  if (coveredBad > 0) {
    const message = `log entries in ${dir} are damaged or lost whose effects durable tables hold: the log begins after them`;
    events.emit({ type: 'warning', message, data: { entries: coveredBad, firstIndex: table.baseIndex + 1 } });
  }
}

async function repair(
  disk: Disk, store: SegmentStore, scans: readonly SegmentScan[], resolution: Resolution, keep: Keep,
): Promise<LogContents> {
  const last = resolution.kept.at(-1)?.generation ?? scans[0]?.generation ?? 0;
  const segments: Segment[] = [];
  const prepared: Segment[] = [];
  for (const scan of scans) {
    const path = segmentName(store.dir, scan.generation);
    const segment = new Segment(scan.generation, scan.layout, keep(await disk.open(path, 'write')));
    if (!scan.sizeGood || !scan.headersGood) await restoreShape(segment, scan);
    if (scan.generation >= last) await zeroUnreadable(segment, scan);
    segment.worn = scan.unreadable.length > 0;
    segment.durable = scan.generation <= last;
    (scan.generation <= last ? segments : prepared).push(segment);
  }
  await zeroCut([...segments, ...prepared], resolution.cut);
  const active = segments.at(-1);
  const scan = scans.find(({ generation }) => generation === active?.generation);
  if (active !== undefined && scan !== undefined) [active.cursors[0], active.cursors[1]] = freeFrom(scan, resolution.kept);
  assert(prepared.every((segment) => segment.generation > last), `R6 what comes next lies behind segment ${last}`);
  for (const { file } of [...segments, ...prepared]) await file.sync();
  if (active !== undefined) await vouch(active, resolution.kept);
  return { segments, prepared, table: resolution.table, resolution };
}

async function restoreShape(segment: Segment, scan: SegmentScan): Promise<void> {
  const { bytes } = segment.layout;
  if (!scan.sizeGood) await segment.file.truncate(bytes);
  const header = encodeHeader({ format: scan.layout.format, generation: scan.generation, segmentBytes: bytes });
  await segment.file.write(header, 0);
  await segment.file.write(header, bytes - HEADER_BYTES);
}

/**
 * What is yet to be written to is made as it was judged: what could not be read counted as zero,
 * and held no needed entry. A disk maps a bad sector elsewhere when all of its page is written; a
 * write into a part of the page would have to read the rest first, and fail.
 */
async function zeroUnreadable({ file, layout }: Segment, { unreadable }: SegmentScan): Promise<void> {
  const inside = unreadable.filter((page) => page >= HEADER_BYTES && page + PAGE <= layout.bytes - HEADER_BYTES);
  for (const page of inside) await zeroRange(file, page, page + PAGE);
}

async function zeroCut(segments: readonly Segment[], cut: Cut | undefined): Promise<void> {
  const segment = segments.find(({ generation }) => generation === cut?.generation);
  if (cut === undefined || segment === undefined) return;
  const { areas } = segment.layout;
  await zeroRange(segment.file, cut.offset, areas[areaAt(segment.layout, cut.offset)].end);
}
