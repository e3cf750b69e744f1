/**
 * Proposals of this member that wait for their entry to be applied here. Each carries (member,
 * incarnation, sequence) and may be proposed again whenever it may have been lost, to whoever leads
 * then: it is applied once, by the state machine's window of applied ids. So a failover costs the
 * election and nothing more.
 *
 * C1 What waits is bounded, in number and bytes; what is beyond is refused. The driver is handed so
 * much in one turn, and nothing while this member cannot keep up: a short overload makes clients
 * wait, and only one that lasts as long as a request may refuses them.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import { Deferred } from '../../base/deferred.js';
import { drive } from '../../base/drive.js';
import type { Clock, Workers } from '../../base/env.js';
import type { EventSink } from '../../base/events.js';
import type { NodeId } from '../../base/ids.js';
import { MAX_ENTRY_BYTES } from '../base/limits.js';
import type { Leadership } from '../state/leadership.js';
import { encodeKv, encodeKvInSlices, isLong, sizeOfCommand } from '../entry/entry.js';
import { EtcdError } from '../../api/etcd-error.js';
import { APPLIED_WINDOW, type ProposalId } from '../kv/applied-ids.js';
import { NOBODY, type Principal } from '../auth/principal.js';
import type { ClientCommand, CommandResponse } from '../kv/command.js';
import type { Load } from './load.js';
import type { RaftDriver } from './raft-driver.js';

interface Pending {
  readonly sequence: number;
  readonly data: Uint8Array;
  readonly deadline: number;
  /** When it was last handed to the driver; undefined: not yet, and nobody else has seen it. */
  proposedAt: number | undefined;
  /**
   * Doubles with every attempt under one leader: repeating itself is no cure for a cluster that is
   * slow.
   */
  retryMs: number;
  readonly answer: Deferred<CommandResponse>;
}

/** Where proposals go: the Raft driver. */
export type Proposer = Pick<RaftDriver, 'propose'>;

export interface ProposalsParts {
  readonly events: EventSink;
  readonly clock: Clock;
  readonly workers: Workers;
  readonly leadership: Leadership;
  readonly load: Pick<Load, 'full'>;
  readonly driver: Proposer;
}

export interface ProposalsOptions {
  /** Raised durably at each start. */
  readonly incarnation: number;
  readonly timeoutMs: number;
  /** Proposals in flight; more are refused. Below the state machine's window of applied ids. */
  readonly maxPending: number;
  /**
   * After this long without being applied a proposal is proposed again, and again after twice as
   * long.
   */
  readonly retryMs: number;
}

/** What is large takes longer: as if a second were needed for so much. */
const SLOW_BYTES = 8 * MiB;
/** Encoded commands in flight; more are refused. */
const MAX_PENDING_BYTES = 256 * MiB;
/** Handed to the driver in one turn, but for the one that goes beyond. */
const TURN_BYTES = MiB;
const TURN_COUNT = 1024;
/** How often it is looked whether this member keeps up again. */
const FULL_MS = 10;

export class Proposals {
  readonly #parts: ProposalsParts;
  readonly #options: ProposalsOptions;
  readonly #member: NodeId;
  /**
   * In order of sequence; with those in the making at most `maxPending`, and `#bytes` is what they
   * are together.
   */
  readonly #pending = new Map<number, Pending>();
  /** Of them, those that the driver is to be handed, in this order. */
  readonly #queue = new Set<Pending>();
  /** The queue is looked at again without anybody's doing. */
  #scheduled = false;
  /** Long ones, while their entries are made. */
  #making = 0;
  /** Of the last proposal: only grows, so that no id of this life comes twice. */
  #sequence = 0;
  #bytes = 0;
  /** Nothing waits any more, and nothing is taken. */
  #stopped = false;
  /** Whom the proposals were last said to; 0: nobody. */
  #leader: NodeId = 0;

  constructor(parts: ProposalsParts, options: ProposalsOptions) {
    assert(options.incarnation > 0 && options.maxPending > 0, 'a life has a number, and room for proposals');
    assert(options.maxPending < APPLIED_WINDOW, `S2 ${options.maxPending} proposals in flight are all remembered when they were applied`);
    this.#parts = parts;
    this.#options = options;
    this.#member = parts.leadership.self;
    parts.leadership.subscribe(({ leader }) => this.#leaderChanged(leader));
  }

  get size(): number {
    return this.#pending.size + this.#making;
  }

  /**
   * Resolves when the command was applied on this member, in the name of `who`. Rejects with
   * EtcdError; TIMEOUT, and STOPPED of a proposal that was in flight, leave the outcome unknown.
   */
  propose(command: ClientCommand, who: Principal = NOBODY): Promise<CommandResponse> {
    const { incarnation, maxPending } = this.#options;
    if (this.#stopped) return Promise.reject(new EtcdError('STOPPED'));
    if (this.size >= maxPending || this.#bytes >= MAX_PENDING_BYTES) return Promise.reject(new EtcdError('TOO_MANY_REQUESTS'));
    const id = { member: this.#member, incarnation, sequence: ++this.#sequence };
    const bytes = sizeOfCommand(command);
    if (isLong(bytes)) return this.#proposeLong(id, command, who, bytes);
    return this.#add(id.sequence, encodeKv(id, command, who));
  }

  async #proposeLong(id: ProposalId, command: ClientCommand, who: Principal, bytes: number): Promise<CommandResponse> {
    this.#making++;
    this.#bytes += bytes;
    let data: Uint8Array;
    try {
      const made = drive(encodeKvInSlices(id, command, who), this.#parts.workers);
      data = made instanceof Promise ? await made : made;
    } finally {
      this.#making--;
      this.#bytes -= bytes;
    }
    if (this.#stopped) throw new EtcdError('STOPPED');
    return this.#add(id.sequence, data);
  }

  #add(sequence: number, data: Uint8Array): Promise<CommandResponse> {
    // C1 Whatever the limit of the node's clients is: what does not fit further on is refused here.
    if (data.length > MAX_ENTRY_BYTES) return Promise.reject(new EtcdError('REQUEST_TOO_LARGE'));
    const { timeoutMs, maxPending, retryMs } = this.#options;
    assert(!this.#pending.has(sequence), 'S2 a sequence is used once');
    assert(this.size < maxPending, 'S2 proposals in flight are bounded');
    const now = this.#parts.clock.now();
    this.#bytes += data.length;
    const answer = new Deferred<CommandResponse>();
    const extraMs = extraMsFor(data);
    const deadline = now + timeoutMs + extraMs;
    const pending: Pending = { sequence, data, deadline, proposedAt: undefined, retryMs: retryMs + extraMs, answer };
    this.#pending.set(sequence, pending);
    if (this.#queue.size === 0 && !this.#parts.load.full) this.#hand(pending, now);
    else this.#wait(pending);
    return answer.promise;
  }

  /** Whether an applied id is a proposal that somebody here waits for. */
  waitsFor(id: ProposalId): boolean {
    return this.#isOwn(id) && this.#pending.has(id.sequence);
  }

  applied(id: ProposalId, response: CommandResponse): void {
    assert(this.#isOwn(id), 'S2 a proposal is answered by the life that made it');
    const pending = this.#pending.get(id.sequence);
    assert(pending, 'a response is made only for a proposal that waits');
    this.#remove(pending);
    pending.answer.resolve(response);
  }

  refused(id: ProposalId, error: EtcdError): void {
    assert(this.#isOwn(id), 'S2 a proposal is answered by the life that made it');
    const pending = this.#pending.get(id.sequence);
    if (!pending) return;
    this.#remove(pending);
    pending.answer.reject(error);
  }

  /** A leader is known that may never have seen what was proposed so far. */
  #leaderChanged(leader: NodeId): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    if (leader === 0 || this.#pending.size === 0) return;
    // Anew: in order of sequence, whoever waited before.
    this.#queue.clear();
    for (const pending of this.#pending.values()) {
      pending.retryMs = this.#options.retryMs + extraMsFor(pending.data);
      this.#queue.add(pending);
    }
    this.#parts.events.emit({ type: 'proposal-reproposed', count: this.#pending.size, leader });
    this.#handOn();
  }

  /** Called a few times a second: time-outs, and proposals that a lost message swallowed. */
  tick(): void {
    const now = this.#parts.clock.now();
    for (const pending of this.#pending.values()) {
      if (now >= pending.deadline) {
        this.#remove(pending);
        const code = pending.proposedAt === undefined ? 'TOO_MANY_REQUESTS' : this.#leader === 0 ? 'TIMEOUT_LEADER_FAIL' : 'TIMEOUT';
        this.#parts.events.emit({ type: 'proposal-failed', code });
        pending.answer.reject(new EtcdError(code));
      } else if (this.#leader !== 0 && pending.proposedAt !== undefined && now - pending.proposedAt >= pending.retryMs) {
        pending.retryMs *= 2;
        pending.proposedAt = now;
        this.#queue.add(pending);
      }
    }
    this.#handOn();
  }

  stop(): void {
    this.#stopped = true;
    for (const pending of this.#pending.values()) {
      this.#remove(pending);
      pending.answer.reject(new EtcdError('STOPPED'));
    }
  }

  /** Of this life of this member: a sequence means nothing without these. */
  #isOwn(id: ProposalId): boolean {
    return id.member === this.#member && id.incarnation === this.#options.incarnation;
  }

  #remove(pending: Pending): void {
    this.#queue.delete(pending);
    const waited = this.#pending.delete(pending.sequence);
    assert(waited, 'a proposal is answered once');
    this.#bytes -= pending.data.length;
    assert(this.#bytes >= 0 && (this.size > 0 || this.#bytes === 0), 'bytes are given back with their proposal');
  }

  /** As much of the queue as one turn takes; the rest in later ones. */
  #handOn(): void {
    const now = this.#parts.clock.now();
    let bytes = 0;
    let count = 0;
    for (const pending of this.#queue) {
      if (this.#stopped || bytes >= TURN_BYTES || count >= TURN_COUNT || this.#parts.load.full) break;
      this.#queue.delete(pending);
      this.#hand(pending, now);
      bytes += pending.data.length;
      count++;
    }
    if (this.#queue.size > 0) this.#schedule();
  }

  #wait(pending: Pending): void {
    this.#queue.add(pending);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const { clock, load } = this.#parts;
    const look = (): void => {
      this.#scheduled = false;
      this.#handOn();
    };
    if (load.full) clock.setTimer(FULL_MS, look);
    else clock.defer(look);
  }

  #hand(pending: Pending, now: number): void {
    assert(!this.#stopped && this.#pending.get(pending.sequence) === pending, 'S2 what is handed on is waited for');
    pending.proposedAt = now;
    this.#parts.driver.propose(pending.data);
  }
}

/** Of a large proposal: it is neither given up nor repeated while it may still be on its way. */
function extraMsFor(data: Uint8Array): number {
  return 1_000 * Math.floor(data.length / SLOW_BYTES);
}
