import assert from 'node:assert/strict';
import type { Random } from '../../base/env.js';
import { codeOf } from '../../base/errors.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import type { LeaseId } from '../../base/ids.js';
import { LeaseWorld, type LeaseMember } from './testing/lease-world.js';

const RUNS = 60;
const EVENTS = 120;
const TTL = 3;

/** One lease after the other, and what clients were told of it. */
class Story {
  readonly world = new LeaseWorld();
  readonly #random: Random;
  readonly #seed: number;
  #id = 0n;
  /** Until then at least it may not end by itself. */
  #goodUntil = 0;
  #revokedByClient = false;
  #failure: unknown;
  acknowledged = 0;
  expired = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
    this.world.elect(this.world.members[0]);
  }

  get #there(): boolean {
    return this.#id > 0n && !this.world.endedAt.has(this.#id);
  }

  async run(): Promise<void> {
    for (let i = 0; i < EVENTS; i++) {
      if (!this.#there) this.#grant();
      await this.#event();
      this.#check();
    }
    await this.#calm();
  }

  #grant(): void {
    this.#id++;
    this.#revokedByClient = false;
    this.#goodUntil = this.world.clock.now() + 1000 * TTL;
    this.world.grant(this.#id, TTL);
  }

  async #event(): Promise<void> {
    const { world } = this;
    const [one, two] = world.members;
    const member = this.#random.below(2) === 0 ? one : two;
    const leader = world.leader ?? one;
    const other = leader === one ? two : one;
    switch (this.#random.below(16)) {
      case 0: return this.#elect(leader, other);
      case 1: if (leader !== other && other.cut) world.heal(other); return;
      case 2: world.clock.advance(this.#random.below(4_000)); return;
      case 3: world.prompt = !world.prompt; return;
      case 4: return this.#slow(member);
      case 5: if (this.#random.below(3) === 0) this.#revoke(); return;
      case 6: case 7: case 8: case 9: void this.#keepAlive(member, this.#id); return;
      default: await world.run(50 + this.#random.below(700));
    }
  }

  /** What the leader before had proposed is gone, or was on its way already; it may not know. */
  #elect(leader: LeaseMember, other: LeaseMember): void {
    if (other.cut) this.world.heal(other);
    other.slow = leader.slow = false;
    other.catchUp();
    leader.catchUp();
    const kept = this.#random.below(2) === 0;
    leader.cut = this.#random.below(2) === 0;
    this.world.elect(other, kept);
    other.catchUp();
  }

  #slow(member: LeaseMember): void {
    member.slow = !member.slow;
    if (!member.cut) member.catchUp();
  }

  #revoke(): void {
    this.#revokedByClient = true;
    this.world.commit({ kind: 'lease-revoke', request: { id: this.#id } });
  }

  async #keepAlive(member: LeaseMember, id: LeaseId): Promise<void> {
    const { world } = this;
    const askedAt = world.clock.now();
    const ended = world.endedAt.has(id);
    try {
      const [ttl = 0] = await member.lessor.renew([id]);
      if (ttl === 0) return;
      this.acknowledged++;
      assert.ok(!ended, `seed ${this.#seed}: a keep-alive of lease ${id} is acknowledged that came after its revoke`);
      if (id === this.#id) this.#goodUntil = Math.max(this.#goodUntil, askedAt + 1000 * TTL);
    } catch (error) {
      if (codeOf(error) === undefined) this.#failure = error;
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const endedAt = this.world.endedAt.get(this.#id);
    if (endedAt === undefined || this.#revokedByClient) return;
    this.expired++;
    assert.ok(endedAt >= this.#goodUntil, `seed ${this.#seed}: lease ${this.#id} ended ${this.#goodUntil - endedAt} ms before it may`);
  }

  /** All is well again, and nobody keeps it alive. */
  async #calm(): Promise<void> {
    const { world } = this;
    if (!this.#there) return;
    world.prompt = true;
    for (const member of world.members) {
      member.slow = false;
      if (member.cut) world.heal(member);
      member.catchUp();
    }
    await world.run(1000 * TTL + 3_000);
    this.#check();
    assert.ok(!this.#there, `seed ${this.#seed}: lease ${this.#id} does not end`);
  }
}

describe('the lessor, whatever happens', () => {
  it('R4 acknowledges no keep-alive that came after the revoke, lets nothing end that was kept alive, and all else in time', async function () {
    this.timeout(30_000);
    let acknowledged = 0;
    let expired = 0;
    for (let seed = 1; seed <= RUNS; seed++) {
      const story = new Story(seed);
      await story.run();
      acknowledged += story.acknowledged;
      expired += story.expired;
    }
    assert.ok(acknowledged > 100 && expired > 50, `${acknowledged} keep-alives were acknowledged, ${expired} leases ended by themselves`);
  });
});
