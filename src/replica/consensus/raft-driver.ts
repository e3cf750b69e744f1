/**
 * The Ready loop: the one place where the pure Raft core meets disk and network.
 *
 * R2: what reflects a term, a vote or an entry leaves only after it is durable; a leader's appends may overtake
 * its own write. One durable write is in flight at a time, and all that arrives meanwhile goes into the next one:
 * that is the group commit. Committed entries that were durable before are handed on without waiting for it.
 */

import { messageOf } from '../../base/errors.js';
import type { Clock, Env, Timer } from '../../base/env.js';
import { formatId, type LogIndex, type NodeId, type Term } from '../../base/ids.js';
import { RaftError } from '../../raft/errors.js';
import { RaftNode } from '../../raft/node.js';
import {
  mayPrecedeWrite, type ConfState, type Entry, type LogStorage, type Message, type ReadState, type Ready, type Role, type Snapshot,
} from '../../raft/types.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import type { DurableLog } from '../log/durable-log.js';
import { ReplicaError } from '../base/errors.js';
import { LogError } from '../log/errors.js';
import { raftFrames } from '../wire/frame.js';
import { LeaderLoss } from './leader-loss.js';

export interface RaftDriverHost {
  /** In log order, each once; may be called several times before the earlier ones are applied. */
  committed(entries: readonly Entry[]): void;
  readStates(states: readonly ReadState[]): void;
  leadershipChanged(role: Role, leader: NodeId, term: Term): void;
  /** F: everything up to here is in durable tables. */
  flushed(): LogIndex;
  /** The newest snapshot that can be sent. Throws RaftError SNAPSHOT_UNAVAILABLE. */
  snapshot(): Snapshot;
  snapshotSent(to: NodeId, snapshot: Snapshot): void;
  /** Everything the snapshot needs is on the disk: switch over to it, log last. */
  installSnapshot(snapshot: Snapshot): Promise<void>;
  /** The node cannot go on. */
  failed(error: unknown): void;
}

export interface RaftDriverOptions {
  readonly env: Env;
  readonly self: NodeId;
  readonly confState: ConfState;
  readonly log: DurableLog;
  readonly hardState: HardStateStore;
  readonly applied: LogIndex;
  readonly commit: LogIndex;
  readonly heartbeatMs: number;
  readonly electionMs: number;
}

/** A forwarded batch: as many proposals as fit, so that a message stays far below the frame limit. */
const MAX_BATCH_ENTRIES = 1024;
const MAX_BATCH_BYTES = 1024 * 1024;
/** Of payload, in one frame of several messages: far below the limit beyond which the network drops frames. */
const MAX_FRAME_BYTES = 2 * MAX_BATCH_BYTES;

export class RaftDriver {
  readonly #host: RaftDriverHost;
  readonly #options: RaftDriverOptions;
  readonly #clock: Clock;
  readonly #node: RaftNode;
  readonly #leaderLoss: LeaderLoss;
  #proposals: Uint8Array[] = [];
  #writing = false;
  #scheduled = false;
  /** Nothing is handed on before: the state of the machine may not be there yet. */
  #started = false;
  #stopped = false;
  #tick: Timer | undefined;
  #idle: (() => void) | undefined;
  #persisted: { term: Term; vote: NodeId };

  constructor(host: RaftDriverHost, options: RaftDriverOptions) {
    this.#host = host;
    this.#options = options;
    const { env, self, electionMs, heartbeatMs, hardState } = options;
    this.#clock = env.clock;
    const current = hardState.current;
    this.#persisted = { term: current?.term ?? 0, vote: current?.vote ?? 0 };
    this.#node = new RaftNode(
      {
        id: self,
        random: () => env.random.float(),
        electionTick: Math.max(2, Math.round(electionMs / heartbeatMs)),
        heartbeatTick: 1,
        applied: options.applied,
        maxSizePerMsg: MAX_BATCH_BYTES,
        maxCommittedSizePerReady: 16 * MAX_BATCH_BYTES,
        maxInflightMsgs: 512,
        maxUncommittedSize: 256 * MAX_BATCH_BYTES,
        preVote: true,
        checkQuorum: true,
        readOnly: 'safe',
      },
      this.#storage(),
    );
    this.#leaderLoss = new LeaderLoss(
      {
        leaderKnown: () => this.#node.lead !== 0,
        electing: () => this.#node.role === 'candidate',
        campaign: () => this.#campaign(),
      },
      { clock: env.clock, random: env.random, electionTimeoutMs: electionMs, members: options.confState.voters, self },
    );
  }

  get node(): RaftNode {
    return this.#node;
  }

  start(): void {
    this.#started = true;
    this.#armTick();
    this.#schedule();
  }

  /** Queues a payload: appended by a leader, forwarded by a follower, dropped when no leader is known. */
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
      this.#options.env.events.emit({ type: 'leader-lost', term: this.#node.term, why: 'its stream broke' });
      this.#schedule();
      this.#leaderLoss.start(peer);
    }
  }

  /** Stops taking work and resolves when the write in flight is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#tick?.cancel();
    this.#leaderLoss.stop();
    if (this.#writing) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  #campaign(): void {
    this.#node.campaign();
    this.#schedule();
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
    if (this.#scheduled || this.#stopped || !this.#started) return;
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
    if (ready.softState) this.#roleChanged();
    const hardState = ready.hardState;
    const stateChanged = hardState !== undefined && (hardState.term !== this.#persisted.term || hardState.vote !== this.#persisted.vote);
    const mustWrite = stateChanged || ready.entries.length > 0 || ready.snapshot !== undefined;
    if (!mustWrite) {
      this.#send(ready.messages, 'all');
      this.#deliver(ready, ready.committedEntries);
      this.#node.advance(ready);
      return;
    }
    this.#send(ready.messages, 'early');
    const firstUnstable = ready.snapshot ? 0 : (ready.entries[0]?.index ?? Infinity);
    const stable = ready.committedEntries.filter((entry) => entry.index < firstUnstable);
    this.#deliver(ready, stable);
    this.#writing = true;
    this.#write(ready, stateChanged).then(
      () => this.#written(ready, stable.length),
      (error: unknown) => this.#fail(error),
    );
  }

  async #write(ready: Ready, stateChanged: boolean): Promise<void> {
    const hardState = ready.hardState;
    if (stateChanged && hardState) {
      await this.#options.hardState.update({ term: hardState.term, vote: hardState.vote });
      this.#persisted = { term: hardState.term, vote: hardState.vote };
    }
    if (ready.snapshot) await this.#host.installSnapshot(ready.snapshot);
    if (ready.entries.length > 0) {
      const started = this.#clock.now();
      await this.#options.log.append(ready.entries, this.#node.commit);
      const bytes = ready.entries.reduce((sum, entry) => sum + entry.data.length, 0);
      const durationMs = this.#clock.now() - started;
      this.#options.env.events.emit({ type: 'log-sync', durationMs, bytes, entries: ready.entries.length });
    }
  }

  #written(ready: Ready, delivered: number): void {
    this.#writing = false;
    if (this.#idle) {
      this.#idle();
      return;
    }
    if (this.#stopped) return;
    try {
      this.#send(ready.messages, 'late');
      if (ready.committedEntries.length > delivered) this.#host.committed(ready.committedEntries.slice(delivered));
      this.#node.advance(ready);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#pump();
  }

  #deliver(ready: Ready, committed: readonly Entry[]): void {
    if (committed.length > 0) this.#host.committed(committed);
    if (ready.readStates.length > 0) this.#host.readStates(ready.readStates);
  }

  #roleChanged(): void {
    const { role, lead, term } = this.#node;
    if (lead !== 0) this.#leaderLoss.stop();
    this.#options.env.events.emit({ type: 'role-changed', role, term, leader: lead });
    this.#host.leadershipChanged(role, lead, term);
  }

  /** One frame per peer. `early`: what may precede the write; `late`: the rest. */
  #send(messages: readonly Message[], which: 'all' | 'early' | 'late'): void {
    if (messages.length === 0) return;
    const byPeer = new Map<NodeId, Message[]>();
    for (const message of messages) {
      if (which !== 'all' && mayPrecedeWrite(message) !== (which === 'early')) continue;
      if (message.type === 'MsgSnap' && message.snapshot) this.#host.snapshotSent(message.to, message.snapshot);
      const list = byPeer.get(message.to);
      if (list) list.push(message);
      else byPeer.set(message.to, [message]);
    }
    for (const [to, list] of byPeer) {
      for (const bytes of raftFrames(list, MAX_FRAME_BYTES)) this.#options.env.network.send(to, bytes);
    }
  }


  #fail(error: unknown): void {
    if (this.#stopped) {
      this.#idle?.();
      return;
    }
    this.#stopped = true;
    this.#writing = false;
    this.#tick?.cancel();
    this.#leaderLoss.stop();
    this.#options.env.events.emit({ type: 'disk-failed', what: 'consensus', why: messageOf(error) });
    this.#host.failed(error);
  }

  /** What the tables hold is as good as compacted where the disk has lost it: a peer that asks for it gets a snapshot. */
  #entries(lo: LogIndex, hi: LogIndex, maxSize?: number): readonly Entry[] {
    try {
      return this.#options.log.entries(lo, hi, maxSize);
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'ENTRY_UNREADABLE' || Number(error.data['index']) > this.#host.flushed()) throw error;
      throw new RaftError('COMPACTED', messageOf(error), error.data, error);
    }
  }

  #storage(): LogStorage {
    const { log, hardState, confState, commit } = this.#options;
    return {
      initialState: () => ({
        hardState: { term: hardState.current?.term ?? 0, vote: hardState.current?.vote ?? 0, commit },
        confState,
      }),
      firstIndex: () => log.firstIndex(),
      lastIndex: () => log.lastIndex(),
      term: (index) => log.term(index),
      entries: (lo, hi, maxSize) => this.#entries(lo, hi, maxSize),
      snapshot: () => this.#host.snapshot(),
    };
  }
}

function rolledBack({ from, commit, term }: Message, last: LogIndex): ReplicaError {
  return new ReplicaError(
    'ROLLED_BACK',
    `member ${formatId(from)}, the leader of term ${term}, has been told by this member that entry ${commit} is durable, but the log ends at ${last}: ` +
      'the data directory is an older copy, and what was promised since is missing. Put the newest data directory back',
  );
}
