/**
 * The lessors of a group over one log, by a clock that the test moves: who leads, what is committed
 * and which rounds of heartbeats come back is said by the test. Leases are in a real state machine
 * of each member.
 */

import { setImmediate as turn } from 'node:timers/promises';
import { Deferred } from '../../../base/deferred.js';
import type { LeaseId } from '../../../base/ids.js';
import { ManualClock } from '../../../base/testing/manual-clock.js';
import { silent } from '../../../base/testing/silent.js';
import { Watermark } from '../../../base/watermark.js';
import type { StoreState } from '../../kv/range.js';
import { NEWEST_VERSION } from '../../base/protocol.js';
import { decodeLogRecord } from '../../entry/entry.js';
import type { LeaseCommand } from '../../kv/command.js';
import { LeaseNews } from '../../kv/lease-news.js';
import { Harness } from '../../kv/testing/harness.js';
import { runToEnd } from '../../kv/testing/run-to-end.js';
import { MemberState } from '../../state/testing/member-state.js';
import { Lessor, type LessorParts } from '../lessor.js';

export const ELECTION_MS = 1_000;
const STEP_MS = 50;

export class LeaseMember {
  readonly id: number;
  readonly state: MemberState;
  readonly lessor: Lessor;
  readonly applied = new Watermark('the applied index', 0);
  /** In its own log, not committed. */
  readonly proposed: LeaseCommand[] = [];
  /** It takes no part, or hears nothing of the others and does not know it. */
  dead = false;
  cut = false;
  /** It leads, and is handing over: it proposes nothing. */
  handsOver = false;
  /** It applies nothing for now. */
  slow = false;
  readonly #harness: Harness;
  readonly #log: readonly LeaseCommand[];
  #rounds: { readonly needed: number; readonly over: Deferred<void> }[] = [];

  constructor(id: number, ids: readonly number[], log: readonly LeaseCommand[], clock: ManualClock) {
    this.id = id;
    this.#log = log;
    this.state = new MemberState(id, ids).serve();
    const leaseNews = new LeaseNews();
    const harness = (this.#harness = Harness.onMemory({ leaseNews }));
    const { proposed } = this;
    // Who is cut has none of what others commit.
    const logged = (): number => (this.cut ? harness.index : log.length);
    const { leadership, life } = this.state;
    const parts = {
      env: { clock, events: silent },
      life, leadership,
      state: { version: NEWEST_VERSION, leaseNews },
      progress: { applied: this.applied },
      reads: {
        confirm: () => this.#confirm(),
        local: (make: (view: unknown, state: StoreState) => Generator<void, unknown>) => {
          const view = harness.tree.view();
          return Promise.resolve(runToEnd(make(view, harness.machine.state()))).finally(() => view.release());
        },
      },
      driver: {
        proposeAsLeader: (data: Uint8Array) => {
          const record = decodeLogRecord(data);
          if (record.kind !== 'lease-time' || !leadership.isLeader || this.handsOver) return false;
          proposed.push(record.command);
          return true;
        },
        node: {
          get lastIndex() {
            return logged() + proposed.length;
          },
        },
      },
    };
    this.lessor = new Lessor(parts as unknown as LessorParts, ELECTION_MS);
  }

  isThere(id: LeaseId): boolean {
    return this.#harness.machine.leases.has(id);
  }

  /** Applies what is committed. */
  catchUp(): void {
    if (this.slow) return;
    for (let command = this.#log[this.#harness.index]; command !== undefined; command = this.#log[this.#harness.index]) {
      this.#harness.apply(command);
      this.applied.move(this.#harness.index);
    }
    this.applied.publish();
  }

  /**
   * Rounds of heartbeats that were begun come back: those wait on that need more than is applied.
   */
  confirm(): void {
    const rounds = this.#rounds;
    this.#rounds = [];
    for (const round of rounds) {
      if (round.needed <= this.#harness.index) round.over.resolve();
      else this.#rounds.push(round);
    }
  }

  #confirm(): Promise<void> {
    const over = new Deferred<void>();
    this.#rounds.push({ needed: this.#log.length, over });
    return over.promise;
  }
}

export class LeaseWorld {
  readonly clock = new ManualClock();
  /** What is committed. */
  readonly log: LeaseCommand[] = [];
  readonly members: readonly [LeaseMember, LeaseMember];
  /** When the revoke of a lease was committed. */
  readonly endedAt = new Map<LeaseId, number>();
  /** What the leader proposes is committed at once, and its rounds come back. */
  prompt = true;
  #leader: LeaseMember | undefined;
  #term = 0;

  constructor() {
    const ids = [1, 2];
    this.members = [1, 2].map((id) => new LeaseMember(id, ids, this.log, this.clock)) as [LeaseMember, LeaseMember];
  }

  get leader(): LeaseMember | undefined {
    return this.#leader;
  }

  /**
   * Whoever is not cut hears of it. What the leader before had not committed is gone, unless it
   * reached the next one (`kept`).
   */
  elect(leader: LeaseMember, kept = false): void {
    if (kept) this.flush();
    this.#term++;
    this.#leader = leader;
    for (const member of this.members) if (!member.cut && !member.dead) this.#hear(member);
  }

  /** It hears again, and that it was deposed. */
  heal(member: LeaseMember): void {
    member.cut = false;
    this.#hear(member);
    member.catchUp();
  }

  /** By a client, at once. */
  commit(command: LeaseCommand): void {
    this.log.push(command);
    if (command.kind === 'lease-revoke' && !this.endedAt.has(command.request.id)) this.endedAt.set(command.request.id, this.clock.now());
    for (const member of this.members) if (!member.cut && !member.dead) member.catchUp();
  }

  grant(id: LeaseId, ttl: number): void {
    this.commit({ kind: 'lease-grant', request: { id, ttl } });
  }

  /** What the leader has proposed is committed. */
  flush(): void {
    const { proposed = [] } = this.#leader ?? {};
    for (let command = proposed.shift(); command !== undefined; command = proposed.shift()) this.commit(command);
  }

  /** Time goes on, and members are running. */
  async run(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.clock.advance(Math.min(left, STEP_MS));
      await this.step();
    }
  }

  async step(): Promise<void> {
    for (const member of this.members) if (!member.dead) member.lessor.step();
    if (this.prompt) {
      this.flush();
      this.#leader?.confirm();
    }
    await turn();
  }

  /** As a client's keep-alive that reaches this member, with the rounds that it needs. */
  async keepAlive(member: LeaseMember, id: LeaseId): Promise<number> {
    const answer = member.lessor.renew([id]);
    answer.catch(() => undefined);
    while (this.prompt && !(await settled(answer))) await this.step();
    return (await answer)[0] as number;
  }

  #hear(member: LeaseMember): void {
    const leader = this.#leader as LeaseMember;
    if (member !== leader) member.proposed.length = 0;
    member.state.lead(leader.id, this.#term);
    if (member === leader) member.state.leadership.applied(this.#term);
  }
}

export async function settled(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  promise.then(() => (over = true), () => (over = true));
  await turn();
  return over;
}
