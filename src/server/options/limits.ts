/**
 * The limits of a member, derived from its options and checked against each other at the start:
 * what cannot work together is refused with the flags to change, and `--check` prints the rest. C1
 * whatever a client may send passes every limit behind the client port, on every member, whatever
 * that one's own flags say: `replica/base/limits.ts`.
 */

import { assert } from '../../base/assert.js';
import { KiB, MiB } from '../../base/bytes.js';
import { MAX_ENTRY_BYTES, MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES } from '../../replica/base/limits.js';
import { BATCH_HEADER, RECORD_HEADER } from '../../replica/log/batch-codec.js';
import { HEADER_BYTES, segmentBytesFor } from '../../replica/log/segment-layout.js';
import { MAX_KEY_BYTES } from '../../replica/kv/validate.js';
import { MAX_PAYLOAD_BYTES } from '../../storage/block/handle.js';
import { DEFAULT_LINK_LIMITS } from '../peer/peer-link.js';
import { UsageError } from './spec.js';

/** `--block-bytes` goes up to here: what a block has before its last value. */
export const MAX_BLOCK_BYTES = MiB;
/** What a client may send beyond the largest write request, as in etcd. */
const OVERHEAD_BYTES = 512 * KiB;
/** Ms of a member's time that a MiB of one request takes in one piece, on a quiet machine. */
const HELD_MS_PER_MIB = 6;
/** A busy machine takes so many times as long. */
const BUSY = 6;

export interface LimitedOptions {
  readonly maxRequestBytes: number;
  readonly electionMs: number;
  readonly logSegmentBytes: number;
  readonly blockBytes: number;
  readonly tableBytes: number;
  readonly memtableBytes: number;
  readonly cacheBytes: number;
}

/** All in bytes. */
export interface Limits {
  /** A write request, as a client sends it. */
  readonly request: number;
  /** Any request of a client. */
  readonly received: number;
  /** An entry of the log, whichever member took the request. */
  readonly entry: number;
  /** A segment of the log for an ordinary batch, and for the largest entry. */
  readonly segment: number;
  readonly largestSegment: number;
  /** A frame, request or reply between members. */
  readonly peerMessage: number;
  /** Of frames that wait for one peer. */
  readonly peerQueue: number;
  /** A block of a table, and a record of the manifest, which is as many as it takes. */
  readonly block: number;
  /** The memtable when it is sealed: with the request that fills it. */
  readonly memtable: number;
}

/** Throws UsageError for options that do not work together. */
export function deriveLimits(options: LimitedOptions): Limits {
  const { maxRequestBytes, electionMs, logSegmentBytes, blockBytes, tableBytes, memtableBytes } = options;
  assertRoom();
  if (maxRequestBytes > MAX_REQUEST_BYTES) {
    throw new UsageError(`--max-request-bytes ${maxRequestBytes} is more than the members take from each other: at most ${MAX_REQUEST_BYTES}`);
  }
  if (logSegmentBytes % HEADER_BYTES !== 0) {
    const below = Math.floor(logSegmentBytes / HEADER_BYTES) * HEADER_BYTES;
    throw new UsageError(`--experimental-log-segment-bytes ${logSegmentBytes} is not a multiple of ${HEADER_BYTES}: use ${below} or ${below + HEADER_BYTES}`);
  }
  if (blockBytes > tableBytes) {
    throw new UsageError(`--block-bytes ${blockBytes} must be at most --experimental-table-bytes ${tableBytes}: raise the one or lower the other`);
  }
  const held = heldMs(maxRequestBytes);
  if (electionMs < held) {
    throw new UsageError(
      `--max-request-bytes ${maxRequestBytes} may hold a member for ${held}ms, longer than --election-timeout ${electionMs}ms: ` +
        'raise the time-out or lower the size');
  }
  return {
    request: maxRequestBytes,
    received: maxRequestBytes + OVERHEAD_BYTES,
    entry: MAX_ENTRY_BYTES,
    segment: logSegmentBytes,
    largestSegment: Math.max(logSegmentBytes, segmentBytesFor(BATCH_HEADER + RECORD_HEADER + MAX_ENTRY_BYTES)),
    peerMessage: DEFAULT_LINK_LIMITS.frameBytes,
    peerQueue: DEFAULT_LINK_LIMITS.queueBytes,
    block: MAX_PAYLOAD_BYTES,
    memtable: memtableBytes + maxRequestBytes,
  };
}

/** What works and may surprise: said once in the log. */
export function limitNotices({ maxRequestBytes, electionMs, cacheBytes }: LimitedOptions): string[] {
  const notices: string[] = [];
  const busyMs = BUSY * heldMs(maxRequestBytes);
  if (electionMs < busyMs) {
    notices.push(`--max-request-bytes ${maxRequestBytes} may cost a leader its office on a busy machine: --election-timeout of at least ${busyMs}ms is safe`);
  }
  if (cacheBytes < maxRequestBytes) {
    notices.push(`--cache-bytes ${cacheBytes} is less than --max-request-bytes ${maxRequestBytes}: a value that is larger is read from the disk each time`);
  }
  return notices;
}

/** For `--check`. */
export function describeLimits(limits: Limits): string {
  const rows: [string, number][] = [
    ['write request', limits.request], ['request', limits.received], ['log entry', limits.entry], ['log segment', limits.segment],
    ['log segment of the largest entry', limits.largestSegment], ['message between members', limits.peerMessage],
    ['frames that wait for one member', limits.peerQueue], ['block', limits.block], ['memtable', limits.memtable],
  ];
  return rows.map(([name, bytes]) => `limit: ${name}, ${bytes} bytes`).join('\n');
}

function heldMs(requestBytes: number): number {
  return Math.ceil((HELD_MS_PER_MIB * requestBytes) / MiB);
}

/** C1 each limit has room for what the one before it lets through. */
function assertRoom(): void {
  assert(MAX_ENTRY_BYTES >= MAX_REQUEST_BYTES + 128 * KiB, 'C1 an entry has room for the largest request');
  // A proposal is forwarded with others that are together below 1 MiB, and frames have heads.
  assert(MAX_MESSAGE_BYTES >= MAX_ENTRY_BYTES + 2 * MiB, 'C1 a message has room for the largest entry and those that go with it');
  // A key of zeros is twice as long inside; the first key of a block stands in it and in its index.
  assert(MAX_PAYLOAD_BYTES >= MAX_ENTRY_BYTES + MAX_BLOCK_BYTES + 4 * MAX_KEY_BYTES, 'C1 a block has room for the largest value');
  assert(MAX_MESSAGE_BYTES >= MAX_PAYLOAD_BYTES + MiB, 'C1 a message has room for any block');
  assert(DEFAULT_LINK_LIMITS.queueBytes >= 2 * MAX_MESSAGE_BYTES - 4 * MiB, 'C1 a queue has room for the largest message and a window besides');
}
