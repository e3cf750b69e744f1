/**
 * Proposals of this member that wait for their entry to be applied here. Each carries (member,
 * incarnation, sequence) and may be proposed again whenever it may have been lost, to whoever leads
 * then: it is applied once, by the state machine's window of applied ids. So a failover costs the
 * election and nothing more.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import { Deferred } from '../../base/deferred.js';
import type { Clock } from '../../base/env.js';
import type { EventSink } from '../../base/events.js';
import type { NodeId } from '../../base/ids.js';
import { MAX_ENTRY_BYTES } from '../base/limits.js';
import type { Leadership } from '../state/leadership.js';
import { encodeKv } from '../entry/entry.js';
import { EtcdError } from '../../api/etcd-error.js';
import { APPLIED_WINDOW, type ProposalId } from '../kv/applied-ids.js';
import type { KvCommand, KvResponse } from '../kv/command.js';
import type { RaftDriver } from './raft-driver.js';

interface Pending {
  readonly sequence: number;
  readonly data: Uint8Array;
  readonly deadline: number;
  proposedAt: number;
  /**
   * Doubles with every attempt under one leader: repeating itself is no cure for a cluster that is
   * slow.
   */
  retryMs: number;
  readonly answer: Deferred<KvResponse>;
}

/** Where proposals go: the Raft driver. */
export type Proposer = Pick<RaftDriver, 'propose'>;

export interface ProposalsParts {
  readonly events: EventSink;
  readonly clock: Clock;
  readonly leadership: Leadership;
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

export class Proposals {
  readonly #parts: ProposalsParts;
  readonly #options: ProposalsOptions;
  readonly #member: NodeId;
  /** In order of sequence; at most `maxPending`, and `#bytes` is what they are together. */
  readonly #pending = new Map<number, Pending>();
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
    return this.#pending.size;
  }

  /**
   * Resolves when the command was applied on this member. Rejects with EtcdError; TIMEOUT, and
   * STOPPED of a proposal that was in flight, leave the outcome unknown.
   */
  propose(command: KvCommand): Promise<KvResponse> {
    const { incarnation, timeoutMs, maxPending, retryMs } = this.#options;
    if (this.#stopped) return Promise.reject(new EtcdError('STOPPED'));
    if (this.#pending.size >= maxPending || this.#bytes >= MAX_PENDING_BYTES) return Promise.reject(new EtcdError('TOO_MANY_REQUESTS'));
    const sequence = ++this.#sequence;
    const data = encodeKv({ member: this.#member, incarnation, sequence }, command);
    // C1 Whatever the limit of the node's clients is: what does not fit further on is refused here.
    if (data.length > MAX_ENTRY_BYTES) return Promise.reject(new EtcdError('REQUEST_TOO_LARGE'));
    const now = this.#parts.clock.now();
    this.#bytes += data.length;
    assert(!this.#pending.has(sequence), 'S2 a sequence is used once');
    assert(this.#pending.size < maxPending, 'S2 proposals in flight are bounded');
    const answer = new Deferred<KvResponse>();
    const extraMs = extraMsFor(data);
    const deadline = now + timeoutMs + extraMs;
    this.#pending.set(sequence, { sequence, data, deadline, proposedAt: now, retryMs: retryMs + extraMs, answer });
    this.#parts.driver.propose(data);
    return answer.promise;
  }

  /** Whether an applied id is a proposal that somebody here waits for. */
  waitsFor(id: ProposalId): boolean {
    return this.#isOwn(id) && this.#pending.has(id.sequence);
  }

  applied(id: ProposalId, response: KvResponse): void {
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
    const now = this.#parts.clock.now();
    for (const pending of this.#pending.values()) {
      pending.retryMs = this.#options.retryMs + extraMsFor(pending.data);
      this.#again(pending, now);
    }
    this.#parts.events.emit({ type: 'proposal-reproposed', count: this.#pending.size, leader });
  }

  /** Called a few times a second: time-outs, and proposals that a lost message swallowed. */
  tick(): void {
    const now = this.#parts.clock.now();
    for (const pending of this.#pending.values()) {
      if (now >= pending.deadline) {
        this.#remove(pending);
        this.#parts.events.emit({ type: 'proposal-failed', code: 'TIMEOUT' });
        pending.answer.reject(new EtcdError(this.#leader === 0 ? 'TIMEOUT_LEADER_FAIL' : 'TIMEOUT'));
      } else if (this.#leader !== 0 && now - pending.proposedAt >= pending.retryMs) {
        pending.retryMs *= 2;
        this.#again(pending, now);
      }
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const pending of this.#pending.values()) pending.answer.reject(new EtcdError('STOPPED'));
    this.#pending.clear();
    this.#bytes = 0;
  }

  /** Of this life of this member: a sequence means nothing without these. */
  #isOwn(id: ProposalId): boolean {
    return id.member === this.#member && id.incarnation === this.#options.incarnation;
  }

  #remove(pending: Pending): void {
    const waited = this.#pending.delete(pending.sequence);
    assert(waited, 'a proposal is answered once');
    this.#bytes -= pending.data.length;
    assert(this.#bytes >= 0 && (this.#pending.size > 0 || this.#bytes === 0), 'bytes are given back with their proposal');
  }

  #again(pending: Pending, now: number): void {
    pending.proposedAt = now;
    this.#parts.driver.propose(pending.data);
  }
}

/** Of a large proposal: it is neither given up nor repeated while it may still be on its way. */
function extraMsFor(data: Uint8Array): number {
  return 1_000 * Math.floor(data.length / SLOW_BYTES);
}
