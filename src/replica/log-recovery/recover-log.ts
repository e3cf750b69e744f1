/**
 * A member whose log has holes asks the others for what it lost, before it takes part (R5): it
 * neither votes nor campaigns nor acknowledges anything until the last hole is filled or proven to
 * have held nothing that was committed (R6), and its log reads back whole. Meanwhile it answers
 * others that ask it the same. While nobody who can be asked has an entry, and nobody can prove
 * that it never was committed, it waits, and asks again ever less often.
 */

import { assert, must } from '../../base/assert.js';
import { Deferred } from '../../base/deferred.js';
import { codeOf, messageOf, NetworkError } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import { formatId, type NodeId, type Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { removedError } from '../base/removed.js';
import { isCopySound } from '../entry/entry.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import type { DamagedLog } from '../log/damaged-log.js';
import type { LogPoint } from '../log/log-point.js';
import type { Recovery } from '../log/log-ways.js';
import { untilRoom } from '../state/until-room.js';
import type { KnownPeers } from './known-peers.js';
import { Configurations, NO_MAJORITY, type MembersAsOf } from './configurations.js';
import { decide, type Heard, type Quorum } from './decide.js';
import { decodeEntriesAnswer, encodeEntriesRequest, LOG_ENTRIES_METHOD, MAX_WANTED, type EntriesAnswer, type Said, type WantedEntry } from './entries-call.js';
import { MendingLog } from './mending-log.js';
import { pauseOf, type Outlook } from './outlook.js';

export const LOG_DAMAGED = 'log entries are damaged: the other members are asked for them';
export const LOG_WAITS = 'a damaged log entry is waited for';
export const TAIL_TAKEN = 'the end of the log was not proven to be durable: another member has it';
export const LOG_MENDED = 'the damaged log is mended';

export interface RecoverLogParts {
  readonly env: Env;
  /** Who can be asked, and who they are now. */
  readonly membership: Pick<KnownPeers, 'self' | 'peers' | 'isNamed' | 'askWho'>;
  readonly hardState: HardStateStore;
  /** The newest term in which this member may have acknowledged anything. */
  readonly bound: Term;
  /** Undefined: it is not known who they were at any index of this log. */
  readonly known: MembersAsOf | undefined;
  /** Told when others were asked in vain. */
  readonly outlook: Outlook | undefined;
}

const CALL_MS = 5_000;
/** A start after a crash waits no longer for what may well have been a torn write. */
const TAIL_CALL_MS = 1_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;
/** Rounds in vain before others are asked to raise their terms. */
const INSIST_AFTER = 2;
/** Rounds in vain in which those that are away are waited for. */
const PATIENCE = 4;
/** It says so again that it waits. */
const SAY_AGAIN_MS = 30_000;

export class LogRecovery {
  readonly log: MendingLog;
  readonly #parts: RecoverLogParts;
  readonly #configurations: Configurations;
  /** Rounds that changed nothing, one after the other. */
  #vain = 0;
  #waitsFor: string | undefined;
  #saidAt = -Infinity;

  constructor(damaged: DamagedLog, parts: RecoverLogParts) {
    this.log = new MendingLog(damaged);
    this.#parts = parts;
    this.#configurations = new Configurations(parts.known, this.log);
  }

  /** What it waits for; undefined: it goes on. */
  get waitsFor(): string | undefined {
    return this.#waitsFor;
  }

  /**
   * Resolves when the log on the disk is whole. Rejects with LogError, HardStateError, DiskError,
   * ReplicaError ABANDONED.
   */
  async run(): Promise<void> {
    const { env, outlook } = this.#parts;
    const write = (): Promise<boolean> => this.#write();
    for (;;) {
      while (this.log.wanted().length > 0) await this.#round();
      if (await untilRoom(env, write, (error) => this.#lacksRoom(error), (ms) => pauseOf(env, outlook, ms))) break;
    }
    this.#waitsFor = undefined;
    assert(this.log.wanted().length === 0, 'R5 nothing of the log is missing when this member goes on');
    env.events.emit({ type: 'warning', message: LOG_MENDED, data: { taken: this.log.taken, lastIndex: this.log.lastIndex, term: this.log.raiseTo } });
  }

  /** False: something more is missing. */
  async #write(): Promise<boolean> {
    const { hardState } = this.#parts;
    const { raiseTo } = this.log;
    // R2 before the log says what only a member of that term can have.
    if (raiseTo > (hardState.current?.term ?? 0)) await hardState.update({ term: raiseTo });
    assert((hardState.current?.term ?? 0) >= raiseTo, `R6 the term is ${raiseTo} before anything is cut`);
    return this.log.write();
  }

  /** C1 What the others gave is kept until there is room for it. */
  #lacksRoom(error: unknown): boolean {
    this.#waitsFor = `room on the disk: ${messageOf(error)}`;
    this.#parts.outlook?.waits();
    return true;
  }

  /**
   * A tail that nothing proves may be one that was acknowledged right before its bytes went bad: if
   * a member that can be asked now has what follows here, it is taken. False: nobody has.
   */
  async askTail(torn: readonly LogPoint[]): Promise<boolean> {
    const { env, membership, bound } = this.#parts;
    const { lastIndex } = this.log;
    // The last entry first: only a log that has it goes on from here.
    const last: LogPoint[] = lastIndex > this.log.base.index ? [{ index: lastIndex, term: this.log.term(lastIndex) }] : [];
    const wanted = [...last, ...torn.slice(0, MAX_WANTED - 1)];
    const request = encodeEntriesRequest({ bound, insists: false, beforeTerm: 0, wanted });
    const answers = await Promise.all(membership.peers.map((peer) => this.#call(peer, request, TAIL_CALL_MS)));
    let best: Entry[] = [];
    for (const answer of answers) {
      const given: Entry[] = [];
      for (const [i, want] of wanted.entries()) {
        const one = answer?.said[i];
        if (one?.says !== 'have' || !isWhatIsMissing(one.entry, want)) break;
        given.push(one.entry);
      }
      if (given.length > best.length) best = given;
    }
    for (const entry of best.slice(last.length)) this.log.extend(entry);
    if (this.log.taken > 0) env.events.emit({ type: 'warning', message: TAIL_TAKEN, data: { from: lastIndex + 1, entries: this.log.taken } });
    return this.log.taken > 0;
  }

  async #round(): Promise<void> {
    const wanted = this.log.wanted();
    const { taken } = this.log;
    const answers = await this.#ask(wanted);
    const [first] = wanted;
    const quorum = await this.#configurations.before(must(first, 'a round asks for something').index);
    if (this.log.taken > taken) this.#went('take');
    if (this.#carryOut(wanted, answers, quorum) || this.log.taken > taken) {
      this.#vain = 0;
      this.#waitsFor = undefined;
      return;
    }
    const { env, membership, outlook } = this.#parts;
    const { random } = env;
    if (answers.size < membership.peers.length) await membership.askWho();
    if (this.#vain >= PATIENCE && this.#waitsFor !== undefined) outlook?.waits();
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#vain, MAX_PAUSE_MS);
    this.#vain++;
    await pauseOf(env, outlook, pauseMs * (0.5 + random.float() / 2));
  }

  /**
   * Whatever somebody has is taken as it comes; resolves when all have spoken, or are not needed.
   */
  async #ask(wanted: readonly WantedEntry[]): Promise<ReadonlyMap<NodeId, EntriesAnswer>> {
    const { membership, bound } = this.#parts;
    const beforeTerm = this.log.term((wanted[0] as WantedEntry).index - 1);
    const request = encodeEntriesRequest({ bound, insists: this.#vain >= INSIST_AFTER, beforeTerm, wanted });
    const answers = new Map<NodeId, EntriesAnswer>();
    const enough = new Deferred<void>();
    let over = false;
    const calls = membership.peers.map(async (peer) => {
      const answer = await this.#call(peer, request, CALL_MS);
      if (answer === undefined || over) return;
      answers.set(peer, answer);
      this.#take(wanted, answer);
      if (wanted.every(({ index }) => this.log.place(index).at === 'entry')) enough.resolve();
    });
    await Promise.race([Promise.all(calls), enough.promise]);
    over = true;
    return answers;
  }

  async #call(peer: NodeId, request: Uint8Array, timeoutMs: number): Promise<EntriesAnswer | undefined> {
    const { network, events } = this.#parts.env;
    try {
      return decodeEntriesAnswer(await network.call(peer, LOG_ENTRIES_METHOD, request, timeoutMs));
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      // What its log lacks nobody gives to a member that is none any more.
      const { membership } = this.#parts;
      if (codeOf(error) === 'REMOVED' && membership.isNamed(peer)) throw removedError(membership.self, `member ${formatId(peer)} says so`);
      if (!(error instanceof NetworkError)) {
        events.emit({ type: 'warning', message: 'a peer sent log entries that do not parse', data: { from: peer, why: messageOf(error) } });
      }
      return undefined;
    }
  }

  #take(wanted: readonly WantedEntry[], { said }: EntriesAnswer): void {
    said.forEach(({ says, entry }, i) => {
      const want = wanted[i];
      if (says === 'have' && want && isWhatIsMissing(entry, want) && this.log.place(want.index).at === 'hole') this.log.take(entry);
    });
  }

  /**
   * True: the log is another one now. `first`: whose word cuts the first that is wanted. Behind one
   * that is missing nobody's does: that one may be a change of the members.
   */
  #carryOut(wanted: readonly WantedEntry[], answers: ReadonlyMap<NodeId, EntriesAnswer>, first: Quorum): boolean {
    const { membership, bound } = this.#parts;
    const patient = answers.size === membership.peers.length || this.#vain >= PATIENCE;
    let moved = false;
    let waits = false;
    for (let i = 0; i < wanted.length; i++) {
      const want = wanted[i] as WantedEntry;
      if (this.log.place(want.index).at !== 'hole') continue;
      const heard: Heard[] = [];
      for (const [from, { said, leads }] of answers) {
        const one = said[i];
        if (one && isUsable(one, want)) heard.push({ from, says: one.says, leads });
      }
      const verdict = decide(heard, i === 0 ? first : NO_MAJORITY, bound, patient);
      const behind = want.index > this.log.lastIndex;
      switch (verdict.do) {
        case 'take':
          break;
        case 'follow':
          this.#went(verdict.do);
          this.log.follow(answers.get(verdict.from)?.said[i]?.entry as Entry, verdict.term);
          moved = true;
          // What was said of the rest was said of another log.
          if (!behind) return true;
          break;
        case 'cut':
          this.#went(verdict.do);
          this.log.cut(want.index, verdict.term);
          return true;
        case 'begin-later':
          this.#went(verdict.do);
          this.log.beginAt((answers.get(verdict.from) as EntriesAnswer).base, bound);
          return true;
        case 'wait':
          // Only the first is said: a round may wait for as many as it has asked for.
          if (!waits) this.#went(verdict.do);
          if (!waits) this.#waits(want, verdict.why);
          waits = true;
          if (behind) return moved;
          break;
      }
    }
    return moved;
  }

  #went(way: Recovery): void {
    this.#parts.env.events.emit({ type: 'log-way', of: 'recovery', way });
  }

  #waits({ index, term }: WantedEntry, why: string): void {
    const { clock, events } = this.#parts.env;
    const before = this.#waitsFor;
    this.#waitsFor = `log entry ${index}${term > 0 ? ` of term ${term}` : ''}: ${why}`;
    if (this.#vain === 0 || (before === this.#waitsFor && clock.now() - this.#saidAt < SAY_AGAIN_MS)) return;
    this.#saidAt = clock.now();
    events.emit({ type: 'warning', message: LOG_WAITS, data: { index, term, why } });
  }
}

function isUsable({ says, entry }: Said, want: WantedEntry): boolean {
  if (says === 'have') return isWhatIsMissing(entry, want);
  return says !== 'follow' || (entry !== undefined && isWhatIsMissing(entry, { index: want.index, term: entry.term }));
}

/** C1 and what its proposer made. */
function isWhatIsMissing(entry: Entry | undefined, { index, term }: WantedEntry): entry is Entry {
  return entry?.index === index && (term === 0 || entry.term === term) && isCopySound(entry);
}
