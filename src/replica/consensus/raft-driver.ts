/**
 * The Ready loop: the one place where the pure Raft core meets disk and network.
 *
 * The core does not wait for its writes: what it asks to be written goes into the write queue, and
 * what it says, hands on and asks next goes on meanwhile. So a leader sends an entry while it
 * writes it, and proposals that come during a write are on their way to the followers before it
 * ends.
 *
 * R2: what a write vouches for is among its answers, and these count, here or with a peer, only
 * when the queue gives them back.
 */

import { assert, must } from '../../base/assert.js';
import { messageOf } from '../../base/errors.js';
import type { Clock, Env, Timer } from '../../base/env.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import { RaftError } from '../../raft/errors.js';
import type { RaftNode } from '../../raft/node.js';
import type { ConfChange, Entry, Message, Ready } from '../../raft/types.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import type { DurableLog } from '../log/durable-log.js';
import type { Leadership } from '../state/leadership.js';
import type { Life } from '../state/life.js';
import type { Membership } from '../state/membership.js';
import type { Progress } from '../state/progress.js';
import type { Room } from '../state/room.js';
import { AppliedAnswers } from './applied-answers.js';
import { CommitNews, type NewsOwner } from './commit-news.js';
import { EarlyCampaign, type Candidate } from './early-campaign.js';
import type { EntryMender } from './entry-mender.js';
import { keepPromise } from './keep-promise.js';
import { LogFence, type FencedLogOwner } from './log-fence.js';
import { makeCore, type RaftStart } from './make-core.js';
import { Outbox } from './outbox.js';
import { OwnCopies } from './own-copies.js';
import { ProposalBatches } from './proposal-batches.js';
import type { RaftHooks } from './raft-hooks.js';
import { rolledBack } from './rolled-back.js';
import { StallWatch } from './stall-watch.js';
import { WriteQueue, type WriteOwner } from './write-queue.js';

export interface RaftDriverParts {
  readonly env: Env;
  readonly life: Life;
  readonly membership: Membership;
  /** Written here. */
  readonly leadership: Leadership;
  readonly progress: Progress;
  readonly log: DurableLog;
  readonly hardState: HardStateStore;
  readonly room: Room;
  readonly mender: EntryMender;
}

export interface RaftDriverOptions {
  readonly heartbeatMs: number;
  readonly electionMs: number;
}

const NO_ANSWERS: readonly Message[] = [];

export class RaftDriver implements Candidate, FencedLogOwner, NewsOwner, WriteOwner {
  readonly #parts: RaftDriverParts;
  readonly #hooks: RaftHooks;
  readonly #options: RaftDriverOptions;
  readonly #clock: Clock;
  readonly #earlyCampaign: EarlyCampaign;
  readonly #ownCopies: OwnCopies;
  readonly #stallWatch: StallWatch;
  readonly logFence: LogFence;
  readonly #news: CommitNews;
  readonly #electionTicks: number;
  #ticks = 0;
  #node!: RaftNode;
  #writes!: WriteQueue;
  #applied!: AppliedAnswers;
  #outbox!: Outbox;
  readonly #proposals = new ProposalBatches();
  /** beginning: the core is about to be replaced, and hears nothing. */
  #state: 'idle' | 'running' | 'beginning' | 'stopped' = 'idle';
  #scheduled = false;
  #pumping = false;
  #tick: Timer | undefined;
  /** R3 The last committed entry that was handed on: the next one follows it. */
  #handedOn: LogIndex = 0;

  constructor(parts: RaftDriverParts, hooks: RaftHooks, start: RaftStart, options: RaftDriverOptions) {
    this.#parts = parts;
    this.#hooks = hooks;
    this.#options = options;
    this.#electionTicks = Math.max(2, Math.round(options.electionMs / options.heartbeatMs));
    const { clock, random } = parts.env;
    this.#clock = clock;
    this.#ownCopies = new OwnCopies(parts);
    this.#news = new CommitNews(clock, this);
    this.logFence = new LogFence(parts, this);
    this.#stallWatch = new StallWatch(parts.env, options);
    this.#earlyCampaign = new EarlyCampaign(this, { clock, random, electionTimeoutMs: options.electionMs, membership: parts.membership });
    this.restart(start);
    parts.membership.subscribe((index) => this.#membersApplied(index));
  }

  /**
   * Another version of the tree is in place: the core begins anew, there. Before {@link start}
   * only.
   */
  restart(start: RaftStart): void {
    assert(this.#state === 'idle', 'R2 the core of a running member stays');
    this.#begin(start);
  }

  #begin(start: RaftStart): void {
    this.#handedOn = start.applied;
    this.#applied = new AppliedAnswers();
    this.#writes = new WriteQueue(this.#parts, this.#hooks, this);
    this.#outbox = new Outbox(this.#parts.env.network, this.#hooks);
    this.#node = makeCore(this.#parts, this.#hooks, start, this.#electionTicks);
    this.#node.setMayLead(this.logFence.why === undefined);
    this.#ownCopies.attach(this.#node);
    this.#parts.leadership.attach(this.#node);
  }

  get node(): RaftNode {
    return this.#node;
  }

  get writes(): Pick<WriteQueue, 'recordedCommit' | 'diskTimes'> {
    return this.#writes;
  }

  get leadership(): Leadership {
    return this.#parts.leadership;
  }

  /** Nothing is handed on before: the state machine may not be there yet. */
  start(): void {
    assert(this.#state === 'idle', 'a driver is started once');
    this.#state = 'running';
    this.#armTick();
    this.schedule();
  }

  /**
   * Queues a payload: appended by a leader, forwarded by a follower, dropped when no leader is
   * known.
   */
  propose(data: Uint8Array): void {
    this.#proposals.add(data);
    this.schedule();
  }

  /**
   * Appends at once if this node leads, and changes the configuration only if nobody else does;
   * false otherwise. Never forwarded.
   */
  proposeAsLeader(what: Uint8Array | ConfChange): boolean {
    const isChange = !(what instanceof Uint8Array);
    if (!this.#hears || !this.#node.isLeader || (isChange && this.#node.isChangingConfig)) return false;
    try {
      if (isChange) this.#node.proposeConfChange(what);
      else this.#node.propose(what);
    } catch (error) {
      if (error instanceof RaftError) return false;
      throw error;
    }
    this.schedule();
    return true;
  }

  readIndex(context: Uint8Array): void {
    this.#node.readIndex(context);
    this.schedule();
  }

  step(message: Message): void {
    if (!this.#hears || this.logFence.refuses(message)) return;
    // A leader tells of no more than this member acknowledged to it in this very term.
    if (message.type === 'MsgHeartbeat' && message.commit > this.#node.lastIndex && message.term >= this.#node.term) {
      return this.#fail(rolledBack(message, this.#node.lastIndex));
    }
    this.#step(message);
    this.schedule();
  }

  /** What the core refuses (a message of nobody it knows) is as good as lost. */
  #step(message: Message): void {
    try {
      this.#node.step(message);
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
    }
  }

  transferLeader(to: NodeId): void {
    this.#node.transferLeader(to);
    this.schedule();
  }

  reportSnapshot(peer: NodeId, ok: boolean): void {
    this.#node.reportSnapshot(peer, ok);
    this.schedule();
  }

  /** The stream from a peer broke: its process is probably gone. */
  peerLost(peer: NodeId): void {
    if (!this.#hears) return;
    if (this.#node.isLeader) {
      this.#node.reportUnreachable(peer);
      this.schedule();
    } else if (this.#node.lead === peer) {
      this.#node.forgetLeader();
      this.#parts.env.events.emit({ type: 'leader-lost', term: this.#node.term, why: 'its stream broke' });
      this.schedule();
      this.#earlyCampaign.start(peer);
    }
  }

  /** Stops taking work and resolves when the write in flight is over. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#tick?.cancel();
    this.#news.stop();
    this.#earlyCampaign.stop();
    await this.#writes.stop();
  }

  campaign(): void {
    this.#node.campaign();
    this.schedule();
  }

  get #stopped(): boolean {
    return this.#state === 'stopped';
  }

  /** The core takes input: it may not have begun to run. */
  get #hears(): boolean {
    return this.#state === 'idle' || this.#state === 'running';
  }

  #armTick(): void {
    this.#tick = this.#clock.setTimer(this.#options.heartbeatMs, () => {
      if (this.#stopped) return;
      try {
        if (this.#hears) this.#ticked();
      } catch (error) {
        return this.#fail(error);
      }
      this.schedule();
      this.#armTick();
    });
  }

  #ticked(): void {
    this.#node.tick();
    this.#stallWatch.look(this.#node, this.#writes.inFlightMs);
    if (++this.#ticks % this.#electionTicks === 0) this.#ownCopies.look(this.#node);
  }

  /** There may be something to do: it is done once the input that is here was taken. */
  schedule(): void {
    if (this.#scheduled || this.#state !== 'running') return;
    this.#scheduled = true;
    this.#clock.defer(this.#pump);
  }

  readonly #pump = (): void => {
    this.#scheduled = false;
    this.#work();
  };

  #work(): void {
    if (!this.#hears || this.#pumping) return;
    this.#pumping = true;
    try {
      this.#news.tell(this.#node);
      this.#proposals.giveTo(this.#node);
      while (this.#hears && this.#node.hasReady()) this.#handle(this.#node.ready());
      this.#news.arm(this.#node);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#pumping = false;
    }
  }

  #handle(ready: Ready): void {
    const { softState, entries, snapshot, committedEntries, readStates } = ready;
    // R3 The commit index is that of this log: while it is written the core may go on to another.
    const { term, vote, commit } = this.#node;
    if (softState) this.#roleChanged();
    const outgoing: Message[] = [];
    let answers: readonly Message[] | undefined;
    let applied = NO_ANSWERS;
    for (const message of ready.messages) {
      if (message.type === 'MsgStorageAppend') answers = message.responses;
      else if (message.type === 'MsgStorageApply') applied = message.responses;
      else outgoing.push(message);
    }
    assert(answers !== undefined || (entries.length === 0 && snapshot === undefined), 'R2 what is to be written is asked for');
    this.#outbox.send(outgoing, this.#writes.durableTerm);
    this.#stallWatch.asked(this.#node, entries);
    if (answers !== undefined) this.#writes.add({ term, vote, snapshot, entries, commit, answers });
    if (committedEntries.length > 0) this.#handOn(committedEntries);
    if (readStates.length > 0) this.#hooks.take({ kind: 'read-states', states: readStates });
    this.#applied.hold(committedEntries, applied);
    this.#membersPassed(0);
  }

  /** All up to `index` that speaks of the members is applied: the core may know it. */
  #membersPassed(index: LogIndex): void {
    for (const message of this.#applied.take(index)) this.#step(message);
  }

  /** R1 The core acts by it from now on, and only then counts these entries as applied. */
  #membersApplied(index: LogIndex): void {
    if (this.#stopped) return;
    this.#node.adoptConfig(this.#parts.membership.confState, index);
    this.#membersPassed(index);
    this.schedule();
  }

  written(answers: readonly Message[]): void {
    if (!this.#hears) return;
    try {
      const { durableTerm } = this.#writes;
      this.#stallWatch.written(this.#parts.log.lastIndex());
      this.#outbox.release(durableTerm);
      const outgoing: Message[] = [];
      for (const message of answers) {
        if (message.snapshot !== undefined && message.type === 'MsgStorageAppendResp') {
          this.#handedOn = message.snapshot.metadata.index;
          this.#membersPassed(this.#handedOn);
        }
        if (message.to === this.#node.id) this.#step(message);
        else outgoing.push(message);
      }
      this.#outbox.send(outgoing, durableTerm);
    } catch (error) {
      return this.#fail(error);
    }
    this.#work();
  }

  writeFailed(error: unknown): void {
    if (!this.logFence.refusedBy(error)) return this.#fail(error);
    this.#beginAnew().catch((why: unknown) => this.#fail(why));
  }

  logTakesAgain(): void {
    if (this.#hears) this.#node.setMayLead(true);
  }

  /**
   * What was not durable is given up, as a crash would: nobody was told of it (R2). Only the term
   * stays, because others may have been told of that: a term without a vote promises nothing.
   */
  async #beginAnew(): Promise<void> {
    const { log } = this.#parts;
    this.#state = 'beginning';
    this.#earlyCampaign.stop();
    this.#news.stop();
    const { term, commit } = this.#node;
    if (term > this.#writes.durableTerm) await keepPromise(this.#parts, { term }, () => this.#stopped);
    if (this.#stopped) return;
    assert(this.#handedOn <= log.lastIndex(), `R3 what was handed on (${this.#handedOn}) is durable, up to ${log.lastIndex()}`);
    this.#begin({ applied: this.#handedOn, commit: Math.max(this.#handedOn, Math.min(commit, log.lastIndex())) });
    this.#state = 'running';
    this.#roleChanged();
    this.schedule();
  }

  #handOn(entries: readonly Entry[]): void {
    const [first, last] = [must(entries[0], 'there are entries').index, must(entries.at(-1), 'there are entries').index];
    const inOrder = first === this.#handedOn + 1 && last === first + entries.length - 1;
    assert(inOrder, `R3 committed entries are handed on in order and without gaps: ${first} to ${last} after ${this.#handedOn}`);
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
    if (this.#stopped) return;
    this.#state = 'stopped';
    this.#writes.halt();
    this.#tick?.cancel();
    this.#news.stop();
    this.#earlyCampaign.stop();
    this.#parts.env.events.emit({ type: 'disk-failed', what: 'consensus', why: messageOf(error) });
    this.#parts.life.fail(error);
  }
}
