/**
 * Raises NOSPACE and CORRUPT and takes them back: the leader's part.
 *
 * CORRUPT (D1) is of a member that knows of a block of which no member has a good copy: reads that
 * need it fail, and nothing else. It goes when that member says that a copy came back or the table
 * went, if no operator had a hand in it.
 *
 * NOSPACE: C1 all members have the same data, so their
 * disks are full at the same time; then writes that make the store larger are refused while there
 * is still room for what makes it smaller.
 *
 * Raised when no quorum of voters has room left, for each that has none, or when the store is as
 * large as the quota, for the leader. Taken back, if no operator had a hand in it, when a quorum is
 * known to have room again and the store is well below the quota. Both waits are longer than the
 * way back, so that an alarm does not come and go with every write.
 *
 * Under the alarm nothing fills up a memtable: what was deleted since the last one would keep its
 * space for good. So each Compact has it flushed.
 */

import { assert } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import { VERSION_2 } from '../base/protocol.js';
import { encodeAlarm } from '../entry/entry.js';
import type { AlarmChange } from '../kv/alarms.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Leadership } from '../state/leadership.js';
import type { StoreSize } from '../state/store-size.js';
import type { RaftDriver } from './raft-driver.js';
import type { RoomNews } from './room-news.js';

/** Has all data up to an index in tables soon, however little it is. */
export interface Flusher {
  flush(through: LogIndex): void;
}

export interface AlarmKeeperParts {
  readonly env: Pick<Env, 'clock'>;
  readonly leadership: Pick<Leadership, 'mayShapeTree' | 'self'>;
  readonly state: Pick<ReplicatedState, 'version' | 'alarms' | 'kv'>;
  readonly rooms: Pick<RoomNews, 'short' | 'quorumHasRoom' | 'quorumIsShort' | 'withLosses' | 'hasLost' | 'subscribe'>;
  readonly size: Pick<StoreSize, 'bytes'>;
  readonly driver: Pick<RaftDriver, 'proposeAsLeader'>;
  readonly progress: { readonly applied: { readonly value: LogIndex } };
  readonly planner: Flusher;
}

/** What was proposed may take this long to be applied. */
const AGAIN_MS = 3_000;
/** Of the quota: what the store must have shrunk to. */
const BACK_SHARE = 0.9;

export class AlarmKeeper {
  readonly #parts: AlarmKeeperParts;
  /** 0: there is none. */
  readonly #quotaBytes: number;
  #proposedAt = -Infinity;
  /** The compact revision for which the memtable was flushed last. */
  #flushedFor = 0;

  constructor(parts: AlarmKeeperParts, quotaBytes = 0) {
    assert(quotaBytes >= 0, `C1 a quota is not negative: ${quotaBytes}`);
    this.#parts = parts;
    this.#quotaBytes = quotaBytes;
    parts.rooms.subscribe(() => this.tick());
  }

  /** Called about once a second, and when rooms change. */
  tick(): void {
    const { env, leadership, state } = this.#parts;
    if (!leadership.mayShapeTree || state.version < VERSION_2 || env.clock.now() - this.#proposedAt < AGAIN_MS) return;
    this.#flushDeletes();
    this.#tickLosses();
    const raise = this.#missing();
    if (raise.length > 0) return raise.forEach((member) => this.#propose({ action: 'raise', member, type: 'NOSPACE', byItself: true }));
    if (!state.alarms.noSpace || !this.#isOver()) return;
    for (const { member, type, byItself } of state.alarms.list()) {
      if (type === 'NOSPACE' && byItself) this.#propose({ action: 'lower', member, type, byItself });
    }
  }

  #flushDeletes(): void {
    const { state, planner, progress } = this.#parts;
    const { compactRevision } = state.kv;
    if (!state.alarms.noSpace || compactRevision === this.#flushedFor) return;
    this.#flushedFor = compactRevision;
    planner.flush(progress.applied.value);
  }

  #tickLosses(): void {
    const { rooms, state } = this.#parts;
    const members = rooms.withLosses().filter((member) => state.alarms.of(member, 'CORRUPT') === undefined);
    for (const member of members) this.#propose({ action: 'raise', member, type: 'CORRUPT', byItself: true });
    for (const { member, type, byItself } of state.alarms.list()) {
      if (type === 'CORRUPT' && byItself && rooms.hasLost(member) === false) this.#propose({ action: 'lower', member, type, byItself });
    }
  }

  /** Whose NOSPACE is due, and not there. */
  #missing(): NodeId[] {
    const { rooms, state, leadership } = this.#parts;
    const due = new Set(rooms.quorumIsShort ? rooms.short() : []);
    if (this.#quotaBytes > 0 && this.#sizeBytes >= this.#quotaBytes) due.add(leadership.self);
    // One is enough for the quota, whoever leads by now.
    if (state.alarms.noSpace && !rooms.quorumIsShort) return [];
    return [...due].filter((member) => state.alarms.of(member, 'NOSPACE') === undefined);
  }

  #isOver(): boolean {
    return this.#parts.rooms.quorumHasRoom && (this.#quotaBytes === 0 || this.#sizeBytes < BACK_SHARE * this.#quotaBytes);
  }

  get #sizeBytes(): number {
    const { size, state } = this.#parts;
    return size.bytes(state.kv.compactRevision, state.kv.leases.systemKeys);
  }

  #propose(change: AlarmChange): void {
    const { driver, env } = this.#parts;
    if (driver.proposeAsLeader(encodeAlarm(change))) this.#proposedAt = env.clock.now();
  }
}
