/** A log on a disk in memory, with a clock that only tests move. */

import { must } from '../../../base/assert.js';
import type { Disk } from '../../../base/disk.js';
import type { Clock } from '../../../base/env.js';
import type { ClusterVersion } from '../../../base/ids.js';
import { ManualClock } from '../../../base/testing/manual-clock.js';
import { silent } from '../../../base/testing/silent.js';
import type { Entry } from '../../../raft/types.js';
import { FIRST_VERSION, VERSION_2 } from '../../base/protocol.js';
import { DurableLog, type OpenedLog } from '../durable-log.js';
import { SECTOR } from '../area-end.js';
import { findIdentities } from '../find-identities.js';
import type { LogOptions } from '../log-options.js';
import { endOf, scanSegment } from '../scan.js';
import { generationSeed, segmentName } from '../segment-layout.js';

export const SMALL_SEGMENT = 32 * 1024;

export interface TestLogOptions extends LogOptions {
  /** Of the cluster. Default: it is not told. */
  readonly version?: ClusterVersion;
}

/** Of the cluster: its log has segments of either format, or only of the first. */
export const VERSIONS: readonly ClusterVersion[] = [FIRST_VERSION, VERSION_2];

export async function openLog(
  disk: Disk, { version, ...options }: TestLogOptions = {}, clock: Clock = new ManualClock(),
): Promise<OpenedLog> {
  const opened = await DurableLog.open({ disk, clock, events: silent }, { segmentBytes: SMALL_SEGMENT, ...options });
  if (version !== undefined) opened.log.allow(version);
  return opened;
}

/** `count` entries from `first` on, whose data says which entry they are. */
export function someEntries(first: number, count: number, term: number, bytes = 40): Entry[] {
  return Array.from({ length: count }, (_, i): Entry => {
    const data = new Uint8Array(bytes).fill((first + i + term * 31) & 255);
    data.set(new TextEncoder().encode(`${first + i}@${term}`).subarray(0, bytes));
    return { index: first + i, term, type: i % 7 === 6 ? 'confChange' : 'normal', data };
  });
}

export function allEntries(log: DurableLog): Entry[] {
  const out: Entry[] = [];
  for (let next = log.firstIndex(); next <= log.lastIndex(); ) {
    const some = log.entries(next, log.lastIndex() + 1, 64 * 1024);
    out.push(...some);
    next += some.length;
  }
  return out;
}

/** For comparing: one string per entry. */
export function show(entries: readonly Entry[]): string[] {
  return entries.map(({ index, term, type, data }) => `${index}@${term} ${type} ${data.length} ${new TextDecoder('latin1').decode(data.subarray(0, 24))}`);
}

/** When all that runs without being waited for has come to an end. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Zeros in the place of the batch of that sequence number and of its identity. */
export async function wipeBatch(disk: Disk, generation: number, sequence: number): Promise<void> {
  const path = segmentName('log', generation);
  const { layout, batches } = await scanSegment(disk, path, generation, SMALL_SEGMENT);
  const { bytes } = await disk.readDirect(path, 0, SMALL_SEGMENT);
  const batch = must(batches.find((one) => one.sequence === sequence), `batch ${sequence} is there`);
  const identity = findIdentities(bytes, layout, generationSeed(generation), generation).find((one) => one.sequence === sequence);
  const file = await disk.open(path, 'write');
  file.writeSync(new Uint8Array(endOf(batch) - batch.offset), batch.offset);
  if (identity !== undefined) file.writeSync(new Uint8Array(identity.end - identity.at), identity.at);
  file.close();
}

/** The sector of that place is not written: it is as it was in a new file. */
export async function loseSector(disk: Disk, path: string, offset: number): Promise<void> {
  const file = await disk.open(path, 'write');
  file.writeSync(new Uint8Array(SECTOR), offset - (offset % SECTOR));
  file.close();
}
