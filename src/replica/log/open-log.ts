/**
 * Opening a log: read all of it past the caches, judge it, then and only then change anything. R6
 * while one live entry is faulty nothing is changed (see `damaged-log.ts`); otherwise the torn tail
 * is zeroed (so that no sound piece of it can later be taken for a successor of what is written
 * next), every file is synced again (a killed process may have left it, or its last repair of it,
 * in the page cache alone) and what stays is then vouched for by identities, before the node acts
 * on it.
 */

import type { Keep } from '../../base/acquiring.js';
import { assert, must } from '../../base/assert.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import { DiskError, messageOf } from '../../base/errors.js';
import type { EventSink } from '../../base/events.js';
import type { EntryTable } from './entry-table.js';
import { LogError } from './errors.js';
import type { LogOptions } from './log-options.js';
import { RestRecord } from './rest-record.js';
import { resolve, type Cut, type Evidence, type Fault, type Resolution } from './resolve.js';
import { freeFrom, PAGE, scanSegment, type SegmentScan } from './scan.js';
import { areaAt, encodeHeader, generationOf, HEADER_BYTES, middleCopy, middleOf, segmentName } from './segment-layout.js';
import { blankArea, Segment, zeroRange, type SegmentStore } from './segment-store.js';
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
  readonly rest: RestRecord;
}

export async function examine(disk: Disk, { dir, layout }: SegmentStore, evidence: Omit<Evidence, 'rest'>): Promise<Examined> {
  const names = await disk.list(dir);
  const generations = names.map(generationOf).filter((generation) => generation !== undefined).sort((a, b) => a - b);
  const scans: SegmentScan[] = [];
  for (const generation of generations) {
    scans.push(await scanSegment(disk, segmentName(dir, generation), generation, layout.bytes));
  }
  const rest = await RestRecord.open(disk, dir);
  return { names, scans, resolution: resolve(scans, { ...evidence, rest: rest.found }), rest };
}

/**
 * A log without faults. The files of segments are kept with `keep`. Throws LogError WRITE_FAILED:
 * the disk refuses to write to the segment that is to be written to.
 */
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
  try {
    return await repair(disk, store, scans, resolution, keep);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    throw new LogError('WRITE_FAILED', `the segment of the log that is written to cannot be: ${messageOf(error)}`, {}, error);
  }
}

/** Undefined: no live entry is known to have existed and is bad. */
export function faultOf(dir: string, { faults }: Resolution): LogError | undefined {
  return faults[0] && faulty(dir, faults[0], faults);
}

/** Undefined: it is opened as it is. What the others may still have is asked for first. */
export function reasonToAsk(dir: string, resolution: Resolution, options: LogOptions): LogError | undefined {
  const { table, torn } = resolution;
  const { flushedIndex = 0, flushedTerm = 0, keepsTorn = false, fillsGap = false } = options;
  const fault = faultOf(dir, resolution);
  if (fault !== undefined) return fault;
  if (fillsGap && table.baseIndex > flushedIndex) {
    const first = { index: flushedIndex + 1, term: 0, generation: 0, offset: -1, length: 0, why: 'the log goes on behind it' };
    return faulty(dir, first, [first]);
  }
  const goesOn = flushedIndex >= table.baseIndex && flushedIndex <= table.lastIndex && table.term(flushedIndex) === flushedTerm;
  if (!keepsTorn || torn.length === 0 || !goesOn) return undefined;
  return new LogError('TAIL_TORN', 'the end of the log was not proven to be durable');
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
  const { kept, cut } = resolution;
  const last = kept.at(-1)?.generation ?? scans[0]?.generation ?? 0;
  const holding = new Set(kept.map(({ generation }) => generation));
  const segments: Segment[] = [];
  const prepared: Segment[] = [];
  for (const scan of scans) {
    if (scan.generation <= last) {
      const isLive = scan.generation === last || resolution.table.lastIn(scan.generation) > resolution.table.lastIn(scan.generation - 1);
      // What is needed no more, and cannot be opened at all, stays where it is.
      if (!isLive && !(await isReadable(disk, store, scan))) continue;
      const segment = await (scan.generation < last ? openOlder : openWritten)(disk, store, scan, keep);
      segment.durable = holding.has(scan.generation);
      segments.push(segment);
      continue;
    }
    // One that nothing was written to yet is made anew, and so is what follows.
    if (scan.batches.length === 0 && scan.generation !== (prepared.at(-1)?.generation ?? last) + 1) break;
    const opening = openWritten(disk, store, scan, keep);
    if (scan.batches.length === 0 && !(await isDone(opening.then(() => undefined)))) break;
    prepared.push(await opening);
  }
  await zeroCut([...segments, ...prepared], scans, cut);
  const active = segments.at(-1);
  for (const segment of [...(active === undefined ? [] : [active]), ...prepared]) {
    const scan = must(scans.find(({ generation }) => generation === segment.generation), 'it was scanned');
    const free = freeFrom(scan, kept);
    if (segment === active) [active.cursors[0], active.cursors[1]] = free;
    await blankEnds(segment, scan, free, cut);
  }
  const lastBatch = kept.at(-1);
  if (active !== undefined && lastBatch?.generation === active.generation) active.lastArea = areaAt(active.layout, lastBatch.offset);
  assert(prepared.every((segment) => segment.generation > last), `R6 what comes next lies behind segment ${last}`);
  for (const segment of segments) {
    if (segment === active) await segment.file.sync();
    else if (!(await isDone(segment.file.sync()))) segment.worn = true;
  }
  const next: Segment[] = [];
  for (const segment of prepared) {
    if (!(await isDone(segment.file.sync()))) break;
    next.push(segment);
  }
  for (const { file } of prepared.slice(next.length)) file.close();
  if (active !== undefined) await vouch(active, kept);
  return { segments, prepared: next, table: resolution.table, resolution };
}

async function isReadable(disk: Disk, { dir }: SegmentStore, { generation }: SegmentScan): Promise<boolean> {
  return isDone(disk.open(segmentName(dir, generation), 'read').then((file) => file.close()));
}

/** All of it was synced before the next one was written to: it need not be writable any more. */
async function openOlder(disk: Disk, { dir }: SegmentStore, scan: SegmentScan, keep: Keep): Promise<Segment> {
  const path = segmentName(dir, scan.generation);
  let file: DiskFile | undefined;
  const mend = async (): Promise<void> => {
    file = keep(await disk.open(path, 'write'));
    await restoreShape(file, scan);
  };
  const mended = await isDone(mend());
  const segment = new Segment(scan.generation, scan.layout, file ?? keep(await disk.open(path, 'read')));
  segment.worn = !mended || scan.unreadable.length > 0;
  return segment;
}

async function openWritten(disk: Disk, { dir }: SegmentStore, scan: SegmentScan, keep: Keep): Promise<Segment> {
  const file = await disk.open(segmentName(dir, scan.generation), 'write');
  const segment = new Segment(scan.generation, scan.layout, file);
  try {
    await restoreShape(file, scan);
    await zeroUnreadable(segment, scan);
  } catch (error) {
    file.close();
    throw error;
  }
  segment.worn = scan.unreadable.length > 0;
  keep(file);
  return segment;
}

/** False: the disk refuses it, and not because this process has too much open. */
async function isDone(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return false;
  }
}

/** What a process may lack that lacks nothing of its disk. */
const OUT_OF_RESOURCES: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR']);
const REFUSALS: ReadonlySet<string> = new Set(['IO', 'READ_FAILED', 'WRITE_FAILED', 'SYNC_FAILED']);

function isRefusal(error: unknown): boolean {
  return error instanceof DiskError && REFUSALS.has(error.code) && !OUT_OF_RESOURCES.has(error.data['errno']);
}
async function restoreShape(file: DiskFile, scan: SegmentScan): Promise<void> {
  const { bytes } = scan.layout;
  if (scan.sizeGood && scan.headersGood) return;
  if (!scan.sizeGood) await file.truncate(bytes);
  const header = encodeHeader({ format: scan.layout.format, generation: scan.generation, segmentBytes: bytes, marked: scan.marked });
  await file.write(header, 0);
  await file.write(header, bytes - HEADER_BYTES);
  await file.write(middleCopy(header), middleOf(scan.layout));
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

/**
 * What is cut off goes on in later segments if the log was renewed and that was cut off, too. They
 * go first: of what a crash leaves the same is cut again.
 */
async function zeroCut(segments: readonly Segment[], scans: readonly SegmentScan[], cut: Cut | undefined): Promise<void> {
  if (cut === undefined) return;
  for (const segment of segments) {
    const used = scans.some(({ generation, batches }) => generation === segment.generation && batches.length > 0);
    if (segment.generation <= cut.generation || !used) continue;
    for (const area of segment.layout.areas) await blankArea(segment, area, area.start);
    await segment.file.sync();
  }
  const segment = segments.find(({ generation }) => generation === cut.generation);
  if (segment === undefined) return;
  await blankArea(segment, segment.layout.areas[areaAt(segment.layout, cut.offset)], cut.offset);
}

/**
 * Where the next write of each area begins an end mark stands, and behind it nothing that could be
 * taken for a record later. Where `cut` began that is so already.
 */
async function blankEnds(segment: Segment, { ends }: SegmentScan, free: readonly [number, number], cut: Cut | undefined): Promise<void> {
  for (const area of [0, 1] as const) {
    const isCut = cut?.generation === segment.generation && cut.offset === free[area];
    if (ends[area] !== 'absent' && !isCut) await blankArea(segment, segment.layout.areas[area], free[area]);
  }
}
