/**
 * A client that holds leases, one after the other: it puts keys with each, keeps it alive in time,
 * at times late or not at all, asks how much is left, and gives it up or revokes it. Through any
 * member, another one whenever something goes wrong.
 */

import type { Stream } from '../../world/random.js';
import { OWN_WORK, type Outcome } from '../../workload/history/history.js';
import type { Op } from '../../workload/history/operation.js';
import { keyText } from '../../workload/wire.js';
import type { SimNode } from '../../cluster/sim-node.js';
import { membersOf, type StreamParts } from '../base/parts.js';
import { call, type CallResult } from './call.js';
import type { LateLeases } from './late-leases.js';
import { LeaseRecord } from './lease-record.js';

const SECOND_US = 1_000_000;
const TTLS = [1, 2, 2, 3, 5, 5, 8, 12, 20] as const;
const DEADLINE_US = 5 * SECOND_US;
/** What was not answered is over by then, wherever it went. */
const UNCERTAIN_US = 20 * SECOND_US;
const RETRY_US = 200_000;
/** How soon one that sleeps hears that it is over. */
const NAP_US = SECOND_US;
const FIRST_ID = 2 ** 40;

type Habit = 'in time' | 'late' | 'never';

export class LeaseClient {
  readonly #parts: StreamParts;
  readonly #late: LateLeases;
  readonly #leases: LeaseRecord[];
  readonly #random: Stream;
  readonly #number: number;
  #node: SimNode;
  #granted = 0;
  #over = false;

  /** `leases`: where all that it holds are noted. */
  constructor(parts: StreamParts, late: LateLeases, leases: LeaseRecord[], number: number) {
    this.#parts = parts;
    this.#late = late;
    this.#leases = leases;
    this.#number = number;
    this.#random = parts.world.stream(`lease client ${number}`);
    this.#node = this.#random.pick(parts.nodes);
  }

  start(): void {
    void this.#run();
    void this.#run();
  }

  /** What it holds it lets go. */
  stop(): void {
    this.#over = true;
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      await this.#hold();
      await this.#sleep(this.#random.between(1, 12) * SECOND_US);
    }
  }

  async #hold(): Promise<void> {
    const random = this.#random;
    const lease = await this.#grant(random.pick(TTLS));
    if (lease === undefined) return;
    for (let left = random.below(5); left > 0; left--) await this.#put(lease);
    const habit: Habit = random.pick(['in time', 'in time', 'late', 'never'] as const);
    const untilUs = this.#parts.world.nowUs + random.between(2, 40) * SECOND_US;
    while (!this.#over && this.#parts.world.nowUs < untilUs) {
      await this.#sleep(habit === 'in time' ? lease.ttlUs / 3 : lease.ttlUs * (0.3 + 0.01 * random.below(110)));
      if (this.#over) return;
      if (habit !== 'never' && !(await this.#keepAlive(lease))) return;
      if (random.chance(1, 3)) await this.#put(lease);
      if (random.chance(1, 4)) await this.#askTime(lease);
    }
    if (!this.#over && random.chance(1, 2)) await this.#operate({ kind: 'revoke', lease: lease.id });
  }

  /** Undefined: it was refused. */
  async #grant(ttl: number): Promise<LeaseRecord | undefined> {
    const { world, history, coverage } = this.#parts;
    const id = this.#number * FIRST_ID + ++this.#granted;
    const lease = new LeaseRecord(id, ttl, world.nowUs);
    const [result] = await this.#call((store) => store.lease.grant({ id: BigInt(id), ttl }));
    if (result.kind === 'failed' && (result.code === 'UNREACHABLE' || result.code === 'LEARNER')) return undefined;
    this.#leases.push(lease);
    // It ends by itself, if nobody ends it before: a write that nobody asks for.
    history.begin(0, 0, { kind: 'revoke', lease: id }, lease.callUs);
    if (result.kind === 'answered') {
      lease.ttl = result.value.ttl;
      lease.grantedUs = world.nowUs;
      this.#late.renewed(lease);
    }
    coverage.branch(`lease granted ${result.kind}`);
    return lease;
  }

  /** False: it is gone. */
  async #keepAlive(lease: LeaseRecord): Promise<boolean> {
    const { world, coverage } = this.#parts;
    for (let tries = 0; tries < 8 && !this.#over; tries++) {
      const callUs = world.nowUs;
      lease.uncertain++;
      const [result, node] = await this.#call((store) => store.lease.keepAlive(BigInt(lease.id)));
      if (result.kind === 'answered') {
        lease.uncertain--;
        const { ttl, revision } = result.value;
        lease.keptAlive.push({ callUs, retUs: world.nowUs, ttl, revision, node });
        coverage.branch(`lease kept alive ${ttl > 0}`);
        if (ttl > 0) this.#renewed(lease);
        return ttl > 0;
      }
      world.schedule(UNCERTAIN_US, () => {
        lease.uncertain--;
        this.#renewed(lease);
      });
      await this.#sleep(RETRY_US);
    }
    return true;
  }

  /** Of one that nobody was told of nothing is expected. */
  #renewed(lease: LeaseRecord): void {
    if (lease.grantedUs < Infinity) this.#late.renewed(lease);
  }

  async #askTime(lease: LeaseRecord): Promise<void> {
    const { world } = this.#parts;
    const callUs = world.nowUs;
    const [result, node] = await this.#call((store) => store.lease.timeToLive(BigInt(lease.id), true));
    if (result.kind === 'failed') return;
    const { ttl, grantedTtl, keys } = result.value;
    lease.timeTold.push({ callUs, retUs: world.nowUs, node, ttl, granted: grantedTtl, keys: keys.map(keyText) });
  }

  /** With the lease; a key of its own, or one that others write, too. */
  async #put(lease: LeaseRecord): Promise<void> {
    const { keys, values } = this.#parts;
    const random = this.#random;
    const key = random.chance(1, 2) ? `lease ${lease.id} ${random.below(4)}` : random.pick(keys);
    await this.#operate({ kind: 'put', key, value: values.next(random.between(10, 200)), prevKv: random.chance(1, 4), lease: lease.id });
  }

  get #machine(): number {
    return 1 + ((this.#number - 1) % this.#parts.machines);
  }

  #operate(op: Op): Promise<void> {
    const { world, history, links, access, coverage } = this.#parts;
    const node = this.#node;
    const record = history.begin(OWN_WORK + this.#number, node.id, op, world.nowUs);
    coverage.branch(`op leased ${op.kind}`);
    return new Promise((resolve) => {
      const settle = (outcome: Outcome): void => {
        if (record.outcome !== undefined) return;
        deadline.cancel();
        history.settle(record, outcome, world.nowUs);
        if (outcome.kind !== 'answered') this.#elsewhere();
        resolve();
      };
      const deadline = world.schedule(DEADLINE_US, () => settle({ kind: 'unknown', code: 'DEADLINE' }));
      links.toNode(this.#machine, node.id, () => {
        access.serve(node, record, (outcome) => links.toClient(this.#machine, node.id, () => settle(outcome)));
      });
    });
  }

  /** With the node that was asked. */
  async #call<T>(run: Parameters<typeof call<T>>[3]): Promise<readonly [CallResult<T>, number]> {
    const { id } = this.#node;
    const result = await call(this.#parts, this.#machine, this.#node, run);
    this.#parts.world.trace.fold(id, result.kind === 'answered' ? 1 : 0);
    if (result.kind === 'failed' || this.#random.chance(1, 8)) this.#elsewhere();
    return [result, id];
  }

  #elsewhere(): void {
    this.#node = this.#random.pick(membersOf(this.#parts.nodes));
  }

  async #sleep(us: number): Promise<void> {
    const { world } = this.#parts;
    for (let left = us; left > 0 && !this.#over; left -= NAP_US) await world.sleep(Math.min(left, NAP_US));
  }
}
