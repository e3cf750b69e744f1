/**
 * The leader's part in leases: it alone lets them end, through the log, and answers keep-alives.
 *
 *   1. A leader that has applied an entry of its own term (so that nothing of earlier leaders is
 *      still to come) reads all leases, and gives each the time that the log says is left. While
 *      nobody keeps one alive, that is written into the log, and every member remembers when it
 *      heard so (`logged-times.ts`): what has passed since, has passed for the lease. So changes of
 *      leader neither renew it nor shorten it; each has enough left for a keep-alive that waits for
 *      a leader to come first.
 *   2. A keep-alive counts from the moment at which it is here, before anything ends; a lease that
 *      is due is looked at once more, after a while, for what had been waiting (`deadlines.ts`).
 *      After a pause, and after the leases were read, nothing ends for a while (`lease-clock.ts`).
 *   3. It is answered only when a round of heartbeats has confirmed that this member still led
 *      (R4), and all is applied that was committed then: so never after a revoke, and never by a
 *      leader that does not know that it was deposed. If the log says that less than the TTL is
 *      left, an entry takes that back first.
 *   4. What ends is an entry of this term, never forwarded and never proposed again: the next
 *      leader either applies it before it answers anything, or it is gone.
 */

import { Deferred } from '../../base/deferred.js';
import { codeOf } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { LeaseId, LogIndex, Term } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { ReadView } from '../../storage/base/read-view.js';
import { VERSION_3 } from '../base/protocol.js';
import type { RaftDriver } from '../consensus/raft-driver.js';
import { encodeLeaseTime } from '../entry/entry.js';
import type { LeaseCheckpoint, LeaseCommand } from '../kv/command.js';
import type { LeaseRecord } from '../kv/lease-keys.js';
import type { LeaseChange } from '../kv/lease-news.js';
import { leasesIn } from '../kv/leases.js';
import { Pace } from '../kv/pace.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Reads } from '../reads/reads.js';
import type { Leadership } from '../state/leadership.js';
import type { Life } from '../state/life.js';
import type { Progress } from '../state/progress.js';
import { Deadlines, Lease } from './deadlines.js';
import { LeaseClock } from './lease-clock.js';
import { LoggedTimes } from './logged-times.js';

export interface LessorParts {
  readonly env: Pick<Env, 'clock' | 'events'>;
  readonly life: Life;
  readonly leadership: Leadership;
  readonly state: Pick<ReplicatedState, 'version' | 'leaseNews'>;
  readonly progress: Pick<Progress, 'applied'>;
  readonly reads: Pick<Reads, 'confirm' | 'local'>;
  readonly driver: Pick<RaftDriver, 'proposeAsLeader' | 'node'>;
}

/** A lease that is due is looked at again after so long. */
const AGAIN_MS = 250;
/** In one step, of 50 ms; the others wait for the next, as does what it has no room for. */
const LOOKS = 2_048;
/** In one step: 1,000 a second, as in etcd. */
const REVOKES = 50;
/** In one step, and in one entry: each is a write of the tree, all in one turn. */
const CHECKPOINTS = 200;
/** A keep-alive that waits for apply to catch up renews its lease this often. */
const TOUCH_MS = 250;
/** Of elections: a longer time without a leader is no fault of who keeps a lease alive. */
const OUTAGE_MAX = 2;
/** Entries that are not applied yet: beyond, nothing more ends for now. */
const MAX_BEHIND = 4_096;

/** What is left of a lease. */
export interface TimeLeft {
  /** Seconds. */
  readonly granted: number;
  /** Milliseconds, not below 0. */
  readonly leftMs: number;
}

export class Lessor {
  readonly #parts: LessorParts;
  readonly #electionMs: number;
  readonly #clock = new LeaseClock();
  #leases = new Deadlines();
  readonly #logged = new LoggedTimes();
  #listening = false;
  /** Since when no leader keeps leases alive; undefined: one does. */
  #leaderlessFrom: number | undefined = 0;
  /** In which it has read all leases, or does so; 0: none. */
  #term: Term = 0;
  #ready = false;
  #waiting: Deferred<void>[] = [];

  constructor(parts: LessorParts, electionMs: number) {
    this.#parts = parts;
    this.#electionMs = electionMs;
    parts.leadership.subscribe(({ role, leader, term }) => {
      if (leader === 0) this.#leaderlessFrom ??= this.#now();
      else if (role !== 'leader') this.#leaderlessFrom = undefined;
      if (role !== 'leader' || term !== this.#term) this.#demote();
    });
    parts.life.subscribe(() => {
      if (!parts.life.ended) return;
      parts.state.leaseNews.stop();
      this.#demote();
    });
    parts.progress.applied.subscribe(() => this.#wake());
  }

  /** Called each 50 ms. */
  step(): void {
    const { leadership, state } = this.#parts;
    this.#hear();
    if (!leadership.mayShapeTree || state.version < VERSION_3) return;
    if (this.#term !== leadership.term) return this.#promote();
    if (this.#ready) this.#look();
  }

  /**
   * Keeps leases alive: of each the TTL in seconds, or 0: there is none. Rejects with EtcdError
   * NOT_LEADER, and what reads reject with.
   */
  async renew(ids: readonly LeaseId[]): Promise<number[]> {
    const { env, leadership, reads, progress } = this.#parts;
    const { term } = leadership;
    this.#checkTerm(term);
    if (this.#ready) this.#touch(ids);
    await reads.confirm();
    let needed: LogIndex | undefined;
    for (let touchedAt = -Infinity; ; await this.#next()) {
      this.#checkTerm(term);
      const waits = needed !== undefined && progress.applied.value < needed && this.#now() < touchedAt + TOUCH_MS;
      if (waits) continue;
      needed = this.#ready ? this.#touch(ids) : undefined;
      touchedAt = this.#clock.now;
      if (needed !== undefined && progress.applied.value >= needed) break;
    }
    const ttls = ids.map((id) => (this.#leases.get(id)?.ttlMs ?? 0) / 1000);
    const count = ttls.reduce((sum, ttl) => sum + (ttl > 0 ? 1 : 0), 0);
    if (count > 0) env.events.emit({ type: 'leases-renewed', count });
    return ttls;
  }

  /** Undefined: there is no such lease. Rejects as {@link renew}. */
  async timeLeft(id: LeaseId): Promise<TimeLeft | undefined> {
    const { leadership, reads } = this.#parts;
    const { term } = leadership;
    this.#checkTerm(term);
    await reads.confirm();
    for (this.#checkTerm(term); !this.#ready; this.#checkTerm(term)) await this.#next();
    const now = this.#hear();
    const lease = this.#leases.get(id);
    return lease && { granted: lease.ttlMs / 1000, leftMs: Math.max(0, lease.deadline - now) };
  }

  #checkTerm(term: Term): void {
    const { leadership, life } = this.#parts;
    if (life.ended) throw new EtcdError('STOPPED');
    if (!leadership.isLeader || leadership.term !== term) throw new EtcdError('NOT_LEADER');
  }

  #promote(): void {
    const { leadership, life } = this.#parts;
    this.#demote();
    const term = (this.#term = leadership.term);
    this.#load(term).catch((error: unknown) => {
      // What cannot be read is read again at the next step.
      if (this.#term === term) this.#demote();
      if (codeOf(error) === undefined) life.fail(error);
    });
  }

  async #load(term: Term): Promise<void> {
    const { reads } = this.#parts;
    const leases = await reads.local((view) => this.#inherit(view));
    if (this.#term !== term) return;
    const now = this.#now();
    const changes = this.#takeNews(now);
    this.#leases = leases;
    // What the reading took is no fault of who keeps them alive.
    this.#clock.rest(this.#electionMs);
    this.#leaderlessFrom = undefined;
    this.#ready = true;
    this.#follow(changes, now);
    this.#wake();
  }

  /** As the leader before has left them, in slices. Throws StorageError. */
  *#inherit(view: ReadView): Generator<void, Deadlines> {
    const pace = new Pace();
    const leases = new Deadlines();
    for (const { id, record } of yield* leasesIn(view, pace)) {
      leases.put(this.#inherited(id, record));
      if (pace.step()) yield;
    }
    return leases;
  }

  /**
   * As the leader before has left it. Only what the log says to be running out has done so: who
   * hears of no leader does not know whether the others had one, which kept leases alive.
   */
  #inherited(id: LeaseId, record: LeaseRecord): Lease {
    const { now } = this.#clock;
    const outage = now - (this.#leaderlessFrom ?? now);
    const since = record.remainingMs === 0 ? undefined : this.#logged.since(id);
    const forgiven = Math.max(0, outage - OUTAGE_MAX * this.#electionMs);
    const passed = since === undefined ? 0 : Math.max(0, now - since - forgiven);
    return new Lease(id, record, now, passed, this.#electionMs);
  }

  #demote(): void {
    this.#term = 0;
    this.#ready = false;
    this.#leases = new Deadlines();
    this.#wake();
  }

  /**
   * What was applied by now, which it gives, whoever leads. While the leases are read it waits for
   * that.
   */
  #hear(): number {
    if (!this.#listening) {
      this.#listening = true;
      this.#parts.state.leaseNews.listen();
    }
    const now = this.#now();
    if (this.#term === 0 || this.#ready) this.#follow(this.#takeNews(now), now);
    return now;
  }

  #takeNews(now: number): readonly LeaseChange[] {
    const changes = this.#parts.state.leaseNews.take();
    for (const change of changes) this.#logged.hear(change, now);
    return changes;
  }

  /** Never that of the step before: what is renewed or granted now has all of its TTL from now. */
  #now(): number {
    this.#clock.step(this.#parts.env.clock.now());
    return this.#clock.now;
  }

  #follow(changes: readonly LeaseChange[], now: number): void {
    if (!this.#ready) return;
    for (const change of changes) {
      if (change.kind === 'reset') return this.#demote();
      if (change.kind === 'gone') this.#leases.remove(change.id);
      else if (change.kind === 'granted') this.#leases.put(new Lease(change.id, change.record, now));
    }
  }

  /**
   * Renews them, and gives the index that is to be applied before that may be said. Throws
   * EtcdError NOT_LEADER.
   */
  #touch(ids: readonly LeaseId[]): LogIndex | undefined {
    const now = this.#hear();
    if (!this.#ready) return undefined;
    let needed = 0;
    const resets: Lease[] = [];
    for (const id of ids) {
      const lease = this.#leases.get(id);
      if (lease === undefined) continue;
      if (lease.revokedAt !== 0) needed = Math.max(needed, lease.revokedAt);
      else {
        lease.renew(now);
        if (lease.loggedMs !== 0) resets.push(lease);
        needed = Math.max(needed, lease.loggedAt);
      }
    }
    if (resets.length === 0) return needed;
    const index = this.#checkpoint(resets.map((lease) => ({ lease, leftMs: 0 })));
    if (index === undefined) throw new EtcdError('NOT_LEADER');
    return Math.max(needed, index);
  }

  /** What is to be done by now about leases. */
  #look(): void {
    const { progress, driver, env } = this.#parts;
    const { now, calm } = this.#clock;
    const keepsUp = driver.node.lastIndex - progress.applied.value < MAX_BEHIND;
    let revokes = 0;
    const checkpoints: { lease: Lease; leftMs: number }[] = [];
    for (const lease of this.#leases.due(now, LOOKS)) {
      if (lease.revokedAt !== 0) continue;
      let again = now;
      const leftMs = lease.checkpointDue(now);
      if (!keepsUp) again = now + AGAIN_MS;
      else if (leftMs !== undefined) {
        if (checkpoints.length < CHECKPOINTS) checkpoints.push({ lease, leftMs });
      } else if (lease.deadline > now) again = lease.nextLook;
      else if (!calm || !lease.due) {
        lease.due = calm;
        again = now + AGAIN_MS;
      } else if (revokes < REVOKES) {
        if (this.#propose({ kind: 'lease-revoke', request: { id: lease.id } })) {
          lease.revokedAt = driver.node.lastIndex;
          revokes++;
          continue;
        }
        again = now + AGAIN_MS;
      }
      this.#leases.look(lease, Math.max(now + 1, again));
    }
    if (revokes > 0) env.events.emit({ type: 'leases-expired', count: revokes });
    this.#checkpoint(checkpoints);
  }

  /**
   * Gives the index of the last entry that says it. Undefined: a leader that hands over proposes
   * nothing.
   */
  #checkpoint(all: readonly { readonly lease: Lease; readonly leftMs: number }[]): LogIndex | undefined {
    const { node } = this.#parts.driver;
    for (let from = 0; from < all.length; from += CHECKPOINTS) {
      const some = all.slice(from, from + CHECKPOINTS);
      const checkpoints: LeaseCheckpoint[] = some.map(({ lease, leftMs }) => ({ id: lease.id, remainingMs: leftMs }));
      if (!this.#propose({ kind: 'lease-checkpoint', request: { checkpoints } })) return undefined;
      for (const { lease, leftMs } of some) {
        lease.loggedMs = leftMs;
        lease.loggedAt = node.lastIndex;
        this.#leases.look(lease, lease.nextLook);
      }
    }
    return node.lastIndex;
  }

  #propose(command: LeaseCommand): boolean {
    return this.#parts.driver.proposeAsLeader(encodeLeaseTime(command));
  }

  /** Resolves when something was applied, or who leads has changed. */
  #next(): Promise<void> {
    const waiting = new Deferred<void>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one.resolve();
  }
}
