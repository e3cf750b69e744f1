/**
 * A leader that is about to stop hands over first, to the follower that is furthest ahead, so that clients see a
 * transfer of a few milliseconds instead of an election.
 */

import { sleep } from '../base/env.js';
import type { NodeId } from '../base/ids.js';
import type { Replica } from './replica.js';

const POLL_MS = 10;

/** True if another member leads now, or did all along. Gives up after one election time-out. */
export async function handOver(replica: Replica): Promise<boolean> {
  const { driver, options, env } = replica;
  if (!driver.node.isLeader) return true;
  const to = successor(replica);
  if (to === 0) return false;
  driver.transferLeader(to);
  const deadline = env.clock.now() + options.electionMs;
  while (driver.node.isLeader && env.clock.now() < deadline) await sleep(env.clock, POLL_MS);
  return !driver.node.isLeader;
}

/** 0 if no follower is known to be alive. */
function successor(replica: Replica): NodeId {
  const { progress } = replica.driver.node.status();
  let best: NodeId = 0;
  let match = -1;
  for (const [id, peer] of progress ?? []) {
    if (id === replica.options.self || !peer.recentActive || peer.isLearner || peer.state !== 'replicate') continue;
    if (peer.match > match) [best, match] = [id, peer.match];
  }
  return best;
}
