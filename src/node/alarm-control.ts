/**
 * What operators do about alarms, as etcd's Alarm RPC has it. A change is an entry of the log like
 * any other, but has no id: raising what is there, or taking back what is not, changes nothing, so
 * it is proposed again until it shows here.
 */

import { EtcdError } from '../api/etcd-error.js';
import { sleep } from '../base/env.js';
import { encodeAlarm } from '../replica/entry/entry.js';
import { VERSION_2 } from '../replica/base/protocol.js';
import type { Alarm, AlarmChange } from '../replica/kv/alarms.js';
import type { Replica } from '../replica/replica.js';
import { requestTimeoutMs } from '../replica/start/options.js';

const POLL_MS = 10;
const AGAIN_MS = 1_000;

export class AlarmControl {
  readonly #replica: Replica;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** Linearizable. */
  async list(): Promise<Alarm[]> {
    await this.#replica.reads.confirm();
    return this.#replica.state.alarms.list();
  }

  /**
   * Resolves when it holds here. EtcdError TIMEOUT: it may still come to hold; UNHEALTHY: a member
   * runs a program that knows no alarms.
   */
  async change(asked: Omit<AlarmChange, 'byItself'>): Promise<void> {
    const { env, driver, state, options, life } = this.#replica;
    if (state.version < VERSION_2) throw new EtcdError('UNHEALTHY', 'alarms need all members to run a newer program');
    await this.#replica.reads.confirm();
    const change: AlarmChange = { ...asked, byItself: false };
    const deadline = env.clock.now() + requestTimeoutMs(options);
    let proposedAt = -Infinity;
    while (!this.#holds(change)) {
      const now = env.clock.now();
      if (life.ended) throw new EtcdError('STOPPED');
      if (now >= deadline) throw new EtcdError('TIMEOUT');
      if (now - proposedAt >= AGAIN_MS) {
        driver.propose(encodeAlarm(change));
        proposedAt = now;
      }
      await sleep(env.clock, POLL_MS);
    }
  }

  #holds({ action, member, type }: AlarmChange): boolean {
    const alarm = this.#replica.state.alarms.of(member, type);
    return action === 'raise' ? alarm?.byItself === false : alarm === undefined;
  }
}
