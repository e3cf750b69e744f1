/**
 * How an operator asks for a change of the members: whichever member answers, again and again, as
 * with `etcdctl`, until it is done or refused for good. The members themselves decide
 * (`replica/member-changes.ts`), so whatever is refused here changes nothing.
 */

import { codeOf } from '../../base/errors.js';
import type { MemberChange, Members } from '../../replica/state/members.js';
import type { SimCluster } from '../cluster/sim-cluster.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { Coverage } from '../model/coverage.js';
import type { DamageOracle } from '../oracle/damage-oracle.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';

export interface RequestParts {
  readonly world: World;
  readonly cluster: SimCluster;
  readonly oracle: DamageOracle;
  readonly coverage: Coverage;
}

const MS = 1_000;
const PATIENCE_US = 10_000 * MS;
/** What was asked before may still be carried out so long after. */
const LATE_US = 12_000 * MS;

/** Asking again changes nothing. */
const FINAL: ReadonlySet<string> = new Set([
  'TOO_MANY_LEARNERS', 'MEMBER_NOT_FOUND', 'MEMBER_NOT_LEARNER', 'MEMBER_EXISTS', 'PEER_URL_EXISTS', 'CLUSTER_TOO_OLD',
]);
/** The operator tries again: it is about now. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'NO_LEADER', 'NOT_LEADER', 'TIMEOUT', 'TIMEOUT_LEADER_FAIL', 'TIMEOUT_CONNECTION_LOST', 'STOPPED', 'TOO_MANY_REQUESTS', 'UNHEALTHY',
  'NOT_ENOUGH_STARTED', 'LEARNER_NOT_READY', 'LEARNER', 'DEADLINE', 'DISCONNECTED',
]);

export class Requests {
  readonly #parts: RequestParts;

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /**
   * True once `done` says so of the newest members that anybody has applied; false: it was refused
   * for good, and nothing of it is on its way any more. Never gives up by itself.
   */
  async carryOut(change: MemberChange, random: Stream, done: (members: Members) => boolean): Promise<boolean> {
    const { world, cluster, oracle, coverage } = this.#parts;
    let refusedUs = 0;
    for (;;) {
      const { members } = oracle.roster;
      if (members !== undefined && done(members)) return true;
      if (refusedUs > 0 && world.nowUs - refusedUs > LATE_US) return false;
      const up = cluster.nodes.filter(({ state }) => state === 'up');
      const node = up.length === 0 ? undefined : random.pick(up);
      if (node !== undefined && refusedUs === 0) {
        const code = await this.#ask(node, change);
        coverage.branch(`members ${change.kind} ${code}`);
        if (FINAL.has(code)) refusedUs = world.nowUs;
      }
      await world.sleep(random.between(100 * MS, 1_000 * MS));
    }
  }

  /** What it says, or `answered`. */
  #ask(node: SimNode, change: MemberChange): Promise<string> {
    const { world, cluster } = this.#parts;
    const { running } = node;
    if (running === undefined) return Promise.resolve('DISCONNECTED');
    const { process, store } = running;
    return new Promise((resolve) => {
      const deadline = world.schedule(PATIENCE_US, () => resolve('DEADLINE'));
      const settle = (code: string): void => {
        deadline.cancel();
        resolve(code);
      };
      world.schedule(0, () => {
        store.changeMembers(change).then(
          () => settle('answered'),
          (error: unknown) => {
            const code = codeOf(error);
            if (code === undefined || !(FINAL.has(code) || TRANSIENT.has(code))) cluster.threw(process, error);
            settle(code ?? 'UNTYPED');
          },
        );
      }, process);
    });
  }
}
