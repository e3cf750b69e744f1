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
import type { Leadership } from './state/leadership.js';

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
 * alive, the furthest ahead first, each for one election time-out.
 */
export async function transferLeadership(parts: TransferParts): Promise<boolean> {
  const { driver, leadership, electionMs, env } = parts;
  for (const to of successors(parts)) {
    if (!leadership.isLeader) return true;
    driver.transferLeader(to);
    const deadline = env.clock.now() + electionMs;
    while (leadership.isLeader && env.clock.now() < deadline) await sleep(env.clock, POLL_MS);
  }
  return !leadership.isLeader;
}

/**
 * A leader whose apply has waited for a repair for longer than an election time-out answers nobody:
 * whoever is known to have applied that entry leads instead. Does nothing while nobody has. To be
 * called now and then.
 */
export function transferWhenBlocked(parts: TransferParts): void {
  const { applier, driver, leadership, env, electionMs } = parts;
  const since = applier.blockedSince;
  if (since === undefined || !leadership.isLeader || env.clock.now() - since < electionMs) return;
  const [to] = successors(parts, applier.index + 1);
  if (to === undefined) return;
  env.events.emit({ type: 'warning', message: 'apply waits for a repair: leadership is handed over', data: { to, index: applier.index + 1 } });
  driver.transferLeader(to);
}

/** Followers that are known to be alive and to have applied `applied`, the furthest ahead first. */
function successors({ driver, gossip, leadership }: TransferParts, applied: LogIndex = 0): NodeId[] {
  const found: { readonly id: NodeId; readonly match: LogIndex }[] = [];
  for (const [id, { match, state, recentActive, isLearner }] of driver.node.status().progress ?? []) {
    if (id === leadership.self || !recentActive || isLearner || state !== 'replicate') continue;
    if ((gossip.of(id)?.applied ?? 0) >= applied) found.push({ id, match });
  }
  return found.sort((a, b) => b.match - a.match).map(({ id }) => id);
}
