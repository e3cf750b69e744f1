/**
 * The Ready loop: the one place where the pure Raft core meets disk and network.
 *
 * R2: what reflects a term, a vote or an entry leaves only after it is durable; a leader's appends
 * may overtake its own write. One durable write is in flight at a time, and all that arrives
 * meanwhile goes into the next one: that is the group commit. Committed entries that were durable
 * before are handed on without waiting for it.
 */

import { assert, must } from '../../base/assert.js';
import { messageOf } from '../../base/errors.js';
import type { Clock, Env, Timer } from '../../base/env.js';
import { formatId, type LogIndex, type NodeId, type Term } from '../../base/ids.js';
import { RaftError } from '../../raft/errors.js';
import { RaftNode } from '../../raft/node.js';
import type { Entry, Message, ReadState, Ready } from '../../raft/types.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import type { DurableLog } from '../log/durable-log.js';
import { ReplicaError } from '../base/errors.js';
import type { Leadership } from '../state/leadership.js';
import type { Life } from '../state/life.js';
import type { Membership } from '../state/membership.js';
import type { Progress } from '../state/progress.js';
import { CoreLog } from './core-log.js';
import { EarlyCampaign, type Candidate } from './early-campaign.js';
import { Outbox } from './outbox.js';
import type { RaftHooks } from './raft-hooks.js';

export interface RaftDriverParts {
  readonly env: Env;
  readonly life: Life;
  readonly membership: Membership;
  /** Written here. */
  readonly leadership: Leadership;
  readonly progress: Progress;
  readonly log: DurableLog;
  readonly hardState: HardStateStore;
}

export interface RaftDriverOptions {
  readonly heartbeatMs: number;
  readonly electionMs: number;
}

/** Where the core begins. */
export interface RaftStart {
  readonly applied: LogIndex;
  readonly commit: LogIndex;
}

/**
 * A forwarded batch: as many proposals as fit, so that a message stays far below the frame limit.
 */
const MAX_BATCH_ENTRIES = 1024;
const MAX_BATCH_BYTES = 1024 * 1024;
/** Of entries on their way to one follower: what a link and a log take without a pause. */
const WINDOW_BYTES = 16 * 1024 * 1024;

export class RaftDriver implements Candidate {
  readonly #parts: RaftDriverParts;
  readonly #hooks: RaftHooks;
  readonly #options: RaftDriverOptions;
  readonly #clock: Clock;
  readonly #earlyCampaign: EarlyCampaign;
  readonly #outbox: Outbox;
  #node!: RaftNode;
  #proposals: Uint8Array[] = [];
  #state: 'idle' | 'running' | 'stopped' = 'idle';
  #writing = false;
  #scheduled = false;
  #tick: Timer | undefined;
  #idle: (() => void) | undefined;
  /**
   * R1 R2 What hard state holds: the term only grows, and within a term a vote that was given
   * stays.
   */
  #persisted: { term: Term; vote: NodeId } = { term: 0, vote: 0 };
  /** R3 The last committed entry that was handed on: the next one follows it. */
  #handedOn: LogIndex = 0;

  constructor(parts: RaftDriverParts, hooks: RaftHooks, start: RaftStart, options: RaftDriverOptions) {
    this.#parts = parts;
    this.#hooks = hooks;
    this.#options = options;
    const { clock, random } = parts.env;
    this.#clock = clock;
    this.#outbox = new Outbox(parts.env.network, hooks);
    this.#earlyCampaign = new EarlyCampaign(this, { clock, random, electionTimeoutMs: options.electionMs, membership: parts.membership });
    this.restart(start);
  }

  /**
   * Another version of the tree is in place: the core begins anew, there. Before {@link start}
   * only.
   */
  restart(start: RaftStart): void {
    assert(this.#state === 'idle', 'R2 the core of a running member stays');
    const { env, membership, leadership, hardState } = this.#parts;
    const { electionMs, heartbeatMs } = this.#options;
    const { term = 0, vote = 0 } = hardState.current ?? {};
    assert(start.applied <= start.commit, `R3 what is applied (${start.applied}) is committed (${start.commit})`);
    this.#persisted = { term, vote };
    this.#handedOn = start.applied;
    this.#node = new RaftNode(
      {
        id: membership.self,
        random: env.random,
        electionTick: Math.max(2, Math.round(electionMs / heartbeatMs)),
        heartbeatTick: 1,
        applied: start.applied,
        maxSizePerMsg: MAX_BATCH_BYTES,
        maxCommittedSizePerReady: 16 * MAX_BATCH_BYTES,
        maxInflightMsgs: 512,
        maxInflightBytes: WINDOW_BYTES,
        maxUncommittedSize: 256 * MAX_BATCH_BYTES,
        preVote: true,
        checkQuorum: true,
        readOnly: 'safe',
      },
      new CoreLog(this.#parts, this.#hooks, start.commit),
    );
    leadership.attach(this.#node);
  }

  get node(): RaftNode {
    return this.#node;
  }

  get leadership(): Leadership {
    return this.#parts.leadership;
  }

  /** Nothing is handed on before: the state machine may not be there yet. */
  start(): void {
    assert(this.#state === 'idle', 'a driver is started once');
    this.#state = 'running';
    this.#armTick();
    this.#schedule();
  }

  /**
   * Queues a payload: appended by a leader, forwarded by a follower, dropped when no leader is
   * known.
   */
  propose(data: Uint8Array): void {
    this.#proposals.push(data);
    this.#schedule();
  }

  /** Appends at once if this node leads; false otherwise. Never forwarded. */
  proposeAsLeader(data: Uint8Array): boolean {
    if (this.#stopped || !this.#node.isLeader) return false;
    try {
      this.#node.propose(data);
    } catch (error) {
      if (error instanceof RaftError) return false;
      throw error;
    }
    this.#schedule();
    return true;
  }

  readIndex(context: Uint8Array): void {
    this.#node.readIndex(context);
    this.#schedule();
  }

  step(message: Message): void {
    if (this.#stopped) return;
    // A leader tells of no more than this member acknowledged to it in this very term.
    if (message.type === 'MsgHeartbeat' && message.commit > this.#node.lastIndex && message.term >= this.#node.term) {
      return this.#fail(rolledBack(message, this.#node.lastIndex));
    }
    try {
      this.#node.step(message);
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
    }
    this.#schedule();
  }

  transferLeader(to: NodeId): void {
    this.#node.transferLeader(to);
    this.#schedule();
  }

  reportUnreachable(peer: NodeId): void {
    this.#node.reportUnreachable(peer);
    this.#schedule();
  }

  reportSnapshot(peer: NodeId, ok: boolean): void {
    this.#node.reportSnapshot(peer, ok);
    this.#schedule();
  }

  /** The stream from a peer broke: its process is probably gone. */
  peerLost(peer: NodeId): void {
    if (this.#stopped) return;
    if (this.#node.isLeader) {
      this.reportUnreachable(peer);
    } else if (this.#node.lead === peer) {
      this.#node.forgetLeader();
      this.#parts.env.events.emit({ type: 'leader-lost', term: this.#node.term, why: 'its stream broke' });
      this.#schedule();
      this.#earlyCampaign.start(peer);
    }
  }

  /** Stops taking work and resolves when the write in flight is over. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#tick?.cancel();
    this.#earlyCampaign.stop();
    if (this.#writing) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  /** Starts a pre-election. */
  campaign(): void {
    this.#node.campaign();
    this.#schedule();
  }

  get #stopped(): boolean {
    return this.#state === 'stopped';
  }

  #armTick(): void {
    this.#tick = this.#clock.setTimer(this.#options.heartbeatMs, () => {
      if (this.#stopped) return;
      try {
        this.#node.tick();
      } catch (error) {
        this.#fail(error);
        return;
      }
      this.#schedule();
      this.#armTick();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#state !== 'running') return;
    this.#scheduled = true;
    this.#clock.defer(this.#pump);
  }

  readonly #pump = (): void => {
    this.#scheduled = false;
    if (this.#stopped) return;
    try {
      this.#takeProposals();
      while (!this.#writing && !this.#stopped && this.#node.hasReady()) this.#handle(this.#node.ready());
    } catch (error) {
      this.#fail(error);
    }
  };

  #takeProposals(): void {
    const all = this.#proposals;
    if (all.length === 0) return;
    this.#proposals = [];
    for (let from = 0; from < all.length; ) {
      let to = from;
      let bytes = 0;
      do bytes += (all[to++] as Uint8Array).length;
      while (to < all.length && to - from < MAX_BATCH_ENTRIES && bytes < MAX_BATCH_BYTES);
      try {
        this.#node.proposeEntries(from === 0 && to === all.length ? all : all.slice(from, to));
      } catch (error) {
        if (!(error instanceof RaftError)) throw error;
        return; // dropped: whoever waits for them proposes them again
      }
      from = to;
    }
  }

  #handle(ready: Ready): void {
    assert(!this.#writing, 'R2 one durable write is in flight at a time');
    if (ready.softState) this.#roleChanged();
    const hardState = ready.hardState;
    const stateChanged = hardState !== undefined && (hardState.term !== this.#persisted.term || hardState.vote !== this.#persisted.vote);
    const last = ready.entries.at(-1)?.index ?? 0;
    assert(last === 0 || last === (ready.entries[0]?.index ?? 0) + ready.entries.length - 1, `R3 what is written is contiguous, up to ${last}`);
    const mustWrite = stateChanged || ready.entries.length > 0 || ready.snapshot !== undefined;
    if (!mustWrite) {
      this.#outbox.send(ready.messages, this.#persisted.term, 'all');
      this.#deliver(ready.readStates, ready.committedEntries);
      this.#node.advance(ready);
      return;
    }
    this.#outbox.send(ready.messages, this.#persisted.term, 'early');
    const firstUnstable = ready.snapshot ? 0 : (ready.entries[0]?.index ?? Infinity);
    const stable = ready.committedEntries.filter((entry) => entry.index < firstUnstable);
    this.#deliver(ready.readStates, stable);
    this.#writing = true;
    // R3 Of this log: while it is written the core may have gone on to one that leads elsewhere.
    const { commit } = this.#node;
    assert(last === 0 || commit <= last, `R3 what is committed (${commit}) is in the log, which ends with ${last}`);
    this.#write(ready, stateChanged, commit).then(
      () => this.#written(ready, stable.length),
      (error: unknown) => this.#fail(error),
    );
  }

  async #write(ready: Ready, stateChanged: boolean, commit: LogIndex): Promise<void> {
    const hardState = ready.hardState;
    if (stateChanged && hardState) {
      this.#promises(hardState);
      await this.#parts.hardState.update({ term: hardState.term, vote: hardState.vote });
      this.#persisted = { term: hardState.term, vote: hardState.vote };
      const { current } = this.#parts.hardState;
      assert(current?.term === hardState.term && current.vote === hardState.vote, `R2 term ${hardState.term} and its vote are durable`);
    }
    if (ready.snapshot) {
      await this.#hooks.installSnapshot(ready.snapshot);
      this.#handedOn = ready.snapshot.metadata.index;
    }
    if (ready.entries.length > 0) {
      const started = this.#clock.now();
      await this.#parts.log.append(ready.entries, commit);
      assert(this.#parts.log.lastIndex() === ready.entries.at(-1)?.index, `R2 the log ends with what was written, not at ${this.#parts.log.lastIndex()}`);
      const bytes = ready.entries.reduce((sum, entry) => sum + entry.data.length, 0);
      const durationMs = this.#clock.now() - started;
      this.#parts.env.events.emit({ type: 'log-sync', durationMs, bytes, entries: ready.entries.length });
    }
  }

  /** R1 Never a step back, and never a second vote in one term. */
  #promises({ term, vote }: { readonly term: Term; readonly vote: NodeId }): void {
    const kept = this.#persisted;
    assert(term >= kept.term, `R1 the term only grows: ${term} after ${kept.term}`);
    assert(term > kept.term || kept.vote === 0 || kept.vote === vote, `R1 one vote in term ${term}: ${vote} after ${kept.vote}`);
  }

  #written(ready: Ready, delivered: number): void {
    assert(delivered <= ready.committedEntries.length, `R3 ${delivered} of ${ready.committedEntries.length} entries went before the write`);
    this.#writing = false;
    if (this.#idle) {
      this.#idle();
      return;
    }
    if (this.#stopped) return;
    try {
      this.#outbox.send(ready.messages, this.#persisted.term, 'late');
      this.#deliver([], ready.committedEntries.slice(delivered));
      this.#node.advance(ready);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#pump();
  }

  #deliver(states: readonly ReadState[], entries: readonly Entry[]): void {
    if (entries.length > 0) this.#handOn(entries);
    if (states.length > 0) this.#hooks.take({ kind: 'read-states', states });
  }

  #handOn(entries: readonly Entry[]): void {
    const first = must(entries[0], 'there are entries').index;
    const last = must(entries.at(-1), 'there are entries').index;
    assert(first === this.#handedOn + 1, 'R3 committed entries are handed on in order');
    assert(last === first + entries.length - 1, 'R3 committed entries are handed on without gaps');
    this.#handedOn = last;
    this.#hooks.take({ kind: 'committed', entries });
  }

  #roleChanged(): void {
    const { role, lead, term } = this.#node;
    assert(role !== 'leader' || lead === this.#parts.membership.self, `R1 a leader follows nobody: ${lead} in term ${term}`);
    if (lead !== 0) this.#earlyCampaign.stop();
    this.#parts.env.events.emit({ type: 'role-changed', role, term, leader: lead });
    this.#parts.leadership.changed();
  }

  #fail(error: unknown): void {
    if (this.#stopped) {
      this.#idle?.();
      return;
    }
    this.#state = 'stopped';
    this.#writing = false;
    this.#tick?.cancel();
    this.#earlyCampaign.stop();
    this.#parts.env.events.emit({ type: 'disk-failed', what: 'consensus', why: messageOf(error) });
    this.#parts.life.fail(error);
  }
}

function rolledBack({ from, commit, term }: Message, last: LogIndex): ReplicaError {
  return new ReplicaError(
    'ROLLED_BACK',
    `member ${formatId(from)}, the leader of term ${term}, has been told by this member that entry ${commit} is durable, but the log ends at ${last}: ` +
      'the data directory is an older copy, and what was promised since is missing. Put the newest data directory back',
  );
}
