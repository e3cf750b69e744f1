/**
 * `client.heal`: what a member knows of its own damage and of its mending. Every answer is the
 * asked member's own.
 */

import type { CallOptions, Caller } from './caller.js';
import { ReflectedRpc, type Message } from '../api/protos/reflected-rpc.js';
import { callStream, callUnary } from './call.js';
import { bigOf, flagOf, messageOf, messagesOf, numberOf, textOf, textsOf } from './message.js';

const SERVICE = 'kintsugi.v1.Heal';

export interface HealCounters {
  /** Reads whose bytes parity had to restore. */
  readonly correctedBlocks: number;
  /** Gone at the second look. */
  readonly transientFaults: number;
  /** Beyond parity: had to come from a peer. */
  readonly uncorrectableBlocks: number;
  readonly repairedBlocks: number;
  readonly hintsForwarded: number;
  readonly hintsReceived: number;
  readonly healsProposed: number;
  readonly healsApplied: number;
  readonly healsFailed: number;
}

/** A confirmed fault in a table of a member, kept until its replacement is proven there. */
export interface Hint {
  readonly tableId: number;
  /** corrected, unreadable, missing or parity. */
  readonly kind: string;
  /** The member whose copy is bad. */
  readonly node: bigint;
  /** open, pending, claimed, proposed, backoff or done. */
  readonly state: string;
  /** Of the faulty blocks; undefined: all of the table. */
  readonly offsets: readonly number[] | undefined;
}

export interface ScrubProgress {
  readonly state: string;
  readonly scannedBytes: number;
  readonly totalBytes: number;
  readonly scannedTables: number;
  readonly totalTables: number;
  readonly faults: number;
  /** In ms since 1970; undefined: never yet. */
  readonly lastCompletedAt: number | undefined;
  /** False: the caches could not be passed, so that the medium itself may be worse. */
  readonly pastCache: boolean;
  /** The last message of a scrub; only it has `blocks` and `durationMs`. */
  readonly done: boolean;
  readonly blocks: number;
  readonly durationMs: number;
}

export interface HealStatus {
  readonly name: string;
  readonly memberId: bigint;
  /** 0n: it knows none. */
  readonly leader: bigint;
  readonly counters: HealCounters;
  readonly scrub: ScrubProgress;
  readonly hints: readonly Hint[];
}

export interface VerifiedTable {
  readonly id: number;
  readonly level: number;
  readonly bytes: number;
  /** XXH128 of the whole file, in hex: equal table means equal bytes on every member. */
  readonly digest: string;
}

export interface Verification {
  readonly name: string;
  readonly memberId: bigint;
  readonly appliedIndex: number;
  readonly materializedIndex: number;
  readonly revision: number;
  readonly tables: readonly VerifiedTable[];
}

export interface ScrubOptions extends CallOptions {
  /** 0 or absent: as fast as the disk allows. */
  readonly bytesPerSecond?: number;
}

export class HealClient {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  async status(options: CallOptions = {}): Promise<HealStatus> {
    const message = await callUnary(this.#caller, new ReflectedRpc(SERVICE, 'Status', 'read'), {}, options);
    return {
      name: textOf(message, 'name'),
      memberId: bigOf(message, 'member_id'),
      leader: bigOf(message, 'leader'),
      counters: countersOf(messageOf(message, 'counters')),
      scrub: progressOf(messageOf(message, 'scrub')),
      hints: messagesOf(message, 'hints').map(hintOf),
    };
  }

  async hints(options: CallOptions = {}): Promise<readonly Hint[]> {
    const message = await callUnary(this.#caller, new ReflectedRpc(SERVICE, 'Hints', 'read'), {}, options);
    return messagesOf(message, 'hints').map(hintOf);
  }

  /**
   * Reads all tables of one member past the caches; ends after the message that has `done` set. No
   * deadline by default.
   */
  async *scrub(options: ScrubOptions = {}): AsyncGenerator<ScrubProgress, void, undefined> {
    const request = { bytes_per_second: String(options.bytesPerSecond ?? 0) };
    const rpc = new ReflectedRpc(SERVICE, 'Scrub', 'write');
    for await (const message of callStream(this.#caller, rpc, request, options)) yield progressOf(message);
  }

  /** The live tables of one member and their digests, for comparing members. */
  async verify(options: CallOptions = {}): Promise<Verification> {
    const message = await callUnary(this.#caller, new ReflectedRpc(SERVICE, 'Verify', 'read'), {}, options);
    const tables = messagesOf(message, 'tables').map((table) => ({
      id: numberOf(table, 'id'), level: numberOf(table, 'level'), bytes: numberOf(table, 'bytes'), digest: textOf(table, 'digest'),
    }));
    return {
      name: textOf(message, 'name'),
      memberId: bigOf(message, 'member_id'),
      appliedIndex: numberOf(message, 'applied_index'),
      materializedIndex: numberOf(message, 'materialized_index'),
      revision: numberOf(message, 'revision'),
      tables,
    };
  }
}

function countersOf(message: Message): HealCounters {
  return {
    correctedBlocks: numberOf(message, 'corrected_blocks'),
    transientFaults: numberOf(message, 'transient_faults'),
    uncorrectableBlocks: numberOf(message, 'uncorrectable_blocks'),
    repairedBlocks: numberOf(message, 'repaired_blocks'),
    hintsForwarded: numberOf(message, 'hints_forwarded'),
    hintsReceived: numberOf(message, 'hints_received'),
    healsProposed: numberOf(message, 'heals_proposed'),
    healsApplied: numberOf(message, 'heals_applied'),
    healsFailed: numberOf(message, 'heals_failed'),
  };
}

function hintOf(message: Message): Hint {
  return {
    tableId: numberOf(message, 'table_id'),
    kind: textOf(message, 'kind'),
    node: bigOf(message, 'node'),
    state: textOf(message, 'state'),
    offsets: flagOf(message, 'all') ? undefined : textsOf(message, 'offsets').map(Number),
  };
}

function progressOf(message: Message): ScrubProgress {
  const completed = numberOf(message, 'last_completed_at');
  return {
    state: textOf(message, 'state'),
    scannedBytes: numberOf(message, 'scanned_bytes'),
    totalBytes: numberOf(message, 'total_bytes'),
    scannedTables: numberOf(message, 'scanned_tables'),
    totalTables: numberOf(message, 'total_tables'),
    faults: numberOf(message, 'faults'),
    lastCompletedAt: completed === 0 ? undefined : completed,
    pastCache: flagOf(message, 'past_cache'),
    done: flagOf(message, 'done'),
    blocks: numberOf(message, 'blocks'),
    durationMs: numberOf(message, 'duration_ms'),
  };
}
