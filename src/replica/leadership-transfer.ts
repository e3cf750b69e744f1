/**
 * A leader that is about to stop hands over first, to the follower that is furthest ahead, so that
 * clients see a transfer of a few milliseconds instead of an election. So does one that cannot
 * apply what it commits.
 */

import { sleep, type Env } from '../base/env.js';
import type { LogIndex, NodeId } from '../base/ids.js';
import type { Applier } from './apply/applier.js';
import type { RaftDriver } from './consensus/raft-driver.js';
import type { Gossip } from './consensus/gossip.js';
import type { RoomNews } from './consensus/room-news.js';
import type { Leadership } from './state/leadership.js';
import type { Room } from './state/room.js';

const POLL_MS = 10;

/** What is looked at. */
export interface TransferParts {
  readonly env: Env;
  readonly electionMs: number;
  readonly leadership: Leadership;
  readonly driver: RaftDriver;
  readonly applier: Applier;
  readonly gossip: Gossip;
}

/**
 * True if another member leads now, or did all along. Asks the followers that are known to be
 * alive, the furthest ahead first, each for one election time-out; then, once, those that nothing
 * was heard from.
 */
export async function transferLeadership(parts: TransferParts): Promise<boolean> {
  const { driver, leadership, electionMs, env } = parts;
  const asked = new Set<NodeId>();
  const patientUntil = env.clock.now() + electionMs;
  while (leadership.isLeader) {
    const left = followers(parts).filter(({ id }) => !asked.has(id));
    if (left.length === 0) break;
    const to = left.find(({ alive }) => alive) ?? (env.clock.now() >= patientUntil ? left[0] : undefined);
    if (to === undefined) {
      await sleep(env.clock, POLL_MS);
      continue;
    }
    asked.add(to.id);
    driver.transferLeader(to.id);
    const deadline = env.clock.now() + electionMs;
    // Nobody leads while they vote: the one that was asked may lose, and this one win again.
    while (!anotherLeads(leadership) && env.clock.now() < deadline) await sleep(env.clock, POLL_MS);
  }
  return anotherLeads(leadership);
}

function anotherLeads({ leader, self }: Leadership): boolean {
  return leader !== 0 && leader !== self;
}

/**
 * A leader whose apply has waited for a repair for longer than an election time-out answers nobody:
 * whoever is known to have applied that entry leads instead. Does nothing while nobody has. To be
 * called now and then.
 */
export function transferWhenBlocked(parts: TransferParts): void {
  const { applier, driver, leadership, gossip, env, electionMs } = parts;
  const since = applier.blockedSince;
  if (since === undefined || !leadership.isLeader || env.clock.now() - since < electionMs) return;
  const to = followers(parts).find(({ id, alive }) => alive && (gossip.of(id)?.applied ?? 0) > applier.index)?.id;
  if (to === undefined) return;
  env.events.emit({ type: 'warning', message: 'apply waits for a repair: leadership is handed over', data: { to, index: applier.index + 1 } });
  driver.transferLeader(to);
}

interface RoomParts extends TransferParts {
  readonly room: Pick<Room, 'short'>;
  readonly rooms: Pick<RoomNews, 'isShort'>;
}

/**
 * C1 A leader whose disk is full stops sealing and compacting for all: a follower that is known to
 * have room leads instead. Does nothing while there is none: then all are full alike. To be called
 * now and then.
 */
export function transferWhenShort(parts: RoomParts): void {
  const { room, rooms, driver, leadership, env } = parts;
  if (!room.short || !leadership.isLeader) return;
  const to = followers(parts).find(({ id, alive }) => alive && rooms.isShort(id) === false)?.id;
  if (to === undefined) return;
  env.events.emit({ type: 'warning', message: 'there is no room on the disk: leadership is handed over', data: { to } });
  driver.transferLeader(to);
}

interface Follower {
  readonly id: NodeId;
  readonly match: LogIndex;
  /** It was heard from in this election time-out, and follows the log. */
  readonly alive: boolean;
}

/** Voters, the furthest ahead first. */
function followers({ driver, leadership }: TransferParts): Follower[] {
  const found: Follower[] = [];
  for (const [id, { match, state, recentActive, isLearner }] of driver.node.status().progress ?? []) {
    if (id !== leadership.self && !isLearner) found.push({ id, match, alive: recentActive && state === 'replicate' });
  }
  return found.sort((a, b) => b.match - a.match);
}
