import assert from 'node:assert/strict';
import { codeOf } from '../../base/errors.js';
import { ELECTION_MS, LeaseWorld, settled, type LeaseMember } from './testing/lease-world.js';

const ID = 7n;
/** Of an election that begins when the leader's process is gone. */
const ELECTED_MS = ELECTION_MS;

async function led(): Promise<[LeaseWorld, LeaseMember, LeaseMember]> {
  const world = new LeaseWorld();
  const [one, two] = world.members;
  world.elect(one);
  await world.run(1_000);
  return [world, one, two];
}

/** Runs until the lease has ended, and says after how many ms since `from`. */
async function ends(world: LeaseWorld, from: number, withinMs: number): Promise<number> {
  while (!world.endedAt.has(ID) && world.clock.now() < from + withinMs) await world.run(50);
  return (world.endedAt.get(ID) ?? Infinity) - from;
}

/** Once the round of heartbeats that it waits for comes back. */
function acknowledged<T>(member: LeaseMember, answer: Promise<T>): Promise<T> {
  member.confirm();
  return answer;
}

describe('the lessor', () => {
  it('lets a lease that nobody keeps alive end through the log, after its TTL and within a second more', async () => {
    const [world, one, two] = await led();
    for (const ttl of [2, 7, 60]) {
      const from = world.clock.now();
      world.endedAt.clear();
      world.grant(ID, ttl);
      const took = await ends(world, from, 1000 * ttl + 5_000);
      assert.ok(took >= 1000 * ttl && took <= 1000 * ttl + 1_000, `${took} ms of ${ttl} s`);
      assert.ok(!one.isThere(ID) && !two.isThere(ID));
    }
  });

  it('C1 what keep-alives take back, and what is let run out, goes into the log in small entries', async () => {
    const [world, one] = await led();
    const ids = Array.from({ length: 1_000 }, (_, n) => BigInt(n + 1));
    for (const id of ids) world.grant(id, 2);
    await world.run(1_900);
    const renewed = one.lessor.renew(ids);
    assert.ok(one.proposed.length >= 5, `${one.proposed.length} entries`);
    await world.step();
    assert.deepEqual(new Set(await renewed), new Set([2]));
    const sizes = world.log.flatMap((command) => (command.kind === 'lease-checkpoint' ? [command.request.checkpoints.length] : []));
    assert.equal(Math.max(...sizes), 200);
    assert.equal(world.endedAt.size, 0);
  });

  it('lets nothing end that is kept alive at a third of its TTL, for ever', async () => {
    const [world, one] = await led();
    world.grant(ID, 3);
    for (let i = 0; i < 40; i++) {
      await world.run(1_000);
      assert.equal(await world.keepAlive(one, ID), 3);
    }
    assert.equal(world.endedAt.size, 0);
  });

  it('a leader that was stalled lets nothing end whose keep-alive came meanwhile, and then what is not kept alive', async () => {
    for (const stallMs of [300, 2_000, 3_600_000]) {
      const [world, one] = await led();
      world.grant(ID, 2);
      world.grant(8n, 2);
      await world.run(1_700);
      world.clock.advance(stallMs);
      // What had come is read a turn later than the first steps are made.
      await world.step();
      await world.run(400);
      assert.equal(await world.keepAlive(one, ID), 2, `after ${stallMs} ms`);
      await world.run(1_500);
      assert.ok(one.isThere(ID));
      assert.ok(!one.isThere(8n), 'nobody kept it alive');
    }
  });

  it('a keep-alive that is read after its lease was found due, and before anything ended, counts', async () => {
    const [world, one] = await led();
    world.grant(ID, 2);
    await world.run(2_000 + 100);
    assert.equal(await world.keepAlive(one, ID), 2);
    await world.run(1_900);
    assert.ok(one.isThere(ID));
  });

  it('C1 a leader that is handing over lets nothing end and writes nothing down, and goes on if it keeps its office', async () => {
    const [world, one] = await led();
    world.grant(ID, 2);
    await world.run(900);
    assert.ok(one.proposed.length === 0 && world.log.some(({ kind }) => kind === 'lease-checkpoint'));
    one.handsOver = true;
    await world.run(600);
    const renewed = one.lessor.renew([ID]);
    one.confirm();
    await assert.rejects(renewed, (error: unknown) => codeOf(error) === 'NOT_LEADER');
    await world.run(3_000);
    assert.ok(one.isThere(ID));
    one.handsOver = false;
    const from = world.clock.now();
    assert.ok((await ends(world, from, 5_000)) < 1_000);
  });

  it('the time that is left is told as it is, whenever between two steps the lease was granted, kept alive or asked for', async () => {
    for (const ms of [1, 25, 49]) {
      for (const granted of [true, false]) {
        const [world, one] = await led();
        if (!granted) world.grant(ID, 2);
        await world.run(100);
        world.clock.advance(ms);
        if (granted) world.grant(ID, 2);
        else await acknowledged(one, one.lessor.renew([ID]));
        assert.equal((await acknowledged(one, one.lessor.timeLeft(ID)))?.leftMs, 2_000);
        await world.run(950);
        assert.equal((await acknowledged(one, one.lessor.timeLeft(ID)))?.leftMs, 1_050);
        world.clock.advance(ms);
        assert.equal((await acknowledged(one, one.lessor.timeLeft(ID)))?.leftMs, 1_050 - ms);
      }
    }
  });

  it('R4 a keep-alive is not acknowledged once the revoke is on its way, and waits until that is applied', async () => {
    const [world, one] = await led();
    world.grant(ID, 2);
    world.prompt = false;
    // Checkpoints are committed, the revoke is not.
    while (!one.proposed.some(({ kind }) => kind === 'lease-revoke')) await world.run(50);
    const answer = one.lessor.renew([ID]);
    one.confirm();
    assert.equal(await settled(answer), false);
    world.flush();
    assert.deepEqual(await answer, [0]);
    assert.equal(one.isThere(ID), false);
  });

  it('R4 the same of a lease whose time was never written down, because apply could not keep up', async () => {
    const [world, one] = await led();
    world.grant(ID, 2);
    one.slow = true;
    for (let i = 0; i < 5_000; i++) world.commit({ kind: 'lease-checkpoint', request: { checkpoints: [] } });
    await world.run(5_000);
    assert.deepEqual([one.proposed, world.endedAt.size], [[], 0], 'nothing more ends for now');
    one.slow = false;
    one.catchUp();
    world.prompt = false;
    while (one.proposed.length === 0) await world.run(50);
    assert.equal(one.proposed[0]?.kind, 'lease-revoke');
    const answer = one.lessor.renew([ID]);
    one.confirm();
    assert.equal(await settled(answer), false);
    world.flush();
    assert.deepEqual(await answer, [0]);
  });

  it('R4 a keep-alive whose round comes back after a client\'s revoke was applied is answered with 0', async () => {
    const [world, one] = await led();
    world.grant(ID, 60);
    world.prompt = false;
    const answer = one.lessor.renew([ID]);
    world.commit({ kind: 'lease-revoke', request: { id: ID } });
    one.confirm();
    assert.deepEqual(await answer, [0]);
  });

  it('R4 a leader that was deposed acknowledges no keep-alive, whether it knows or not', async () => {
    const [world, one, two] = await led();
    world.grant(ID, 60);
    one.cut = true;
    world.elect(two);
    world.commit({ kind: 'lease-revoke', request: { id: ID } });
    assert.ok(one.isThere(ID), 'it has not heard');
    const unaware = one.lessor.renew([ID]);
    await world.run(5_000);
    assert.equal(await settled(unaware), false, 'no round of its own comes back');
    const told = assert.rejects(unaware, (error) => codeOf(error) === 'NOT_LEADER');
    world.heal(one);
    // As a read does that waits: it is asked again, or refused.
    one.confirm();
    await told;
    await assert.rejects(one.lessor.renew([ID]), (error) => codeOf(error) === 'NOT_LEADER');
    assert.equal(await world.keepAlive(two, ID), 0);
  });

  it('what a deposed leader wanted to end is not ended by it', async () => {
    const [world, one, two] = await led();
    world.grant(ID, 2);
    await world.run(1_000);
    one.cut = true;
    world.elect(two);
    await world.run(800);
    assert.equal(await world.keepAlive(two, ID), 2);
    while (!one.proposed.some(({ kind }) => kind === 'lease-revoke')) {
      await world.run(50);
      await world.keepAlive(two, ID);
    }
    world.heal(one);
    assert.ok(one.isThere(ID) && two.isThere(ID));
    assert.equal(world.endedAt.size, 0);
  });

  it('a keep-alive is acknowledged only when the log no longer says that less than the TTL is left: a new leader does not shorten it', async () => {
    for (const ttl of [2, 5, 20]) {
      const [world, one, two] = await led();
      world.grant(ID, ttl);
      await world.run(750 * ttl);
      assert.ok(world.log.some(({ kind }) => kind === 'lease-checkpoint'), `${ttl} s: it was written down`);
      world.prompt = false;
      const answer = one.lessor.renew([ID]);
      one.confirm();
      assert.equal(await settled(answer), false, 'the log says less');
      world.flush();
      assert.deepEqual(await answer, [ttl]);
      const acknowledged = world.clock.now();
      one.dead = true;
      world.prompt = true;
      world.elect(two);
      const took = await ends(world, acknowledged, 1000 * ttl + 5_000);
      assert.ok(took >= 1000 * ttl, `${took} ms after a keep-alive of ${ttl} s`);
    }
  });

  it('R4 a keep-alive that was acknowledged counts for all of its TTL with a next leader that had been cut off from that one', async () => {
    for (const ttl of [3, 10]) {
      const [world, one, two] = await led();
      world.grant(ID, ttl);
      // It hears of no leader; the others do, and are a majority.
      two.state.lead(0, 1);
      for (let left = 6; left > 0; left--) {
        await world.run((1000 * ttl) / 3);
        assert.equal(await world.keepAlive(one, ID), ttl);
      }
      const from = world.clock.now();
      one.dead = true;
      world.elect(two);
      const took = await ends(world, from, 1000 * ttl + 3_000);
      assert.ok(took >= 1000 * ttl && took <= 1000 * ttl + 3_000, `${took} ms of ${ttl} s`);
    }
  });

  it('changes of leader do not renew a lease for ever', async () => {
    const [world, one, two] = await led();
    const from = world.clock.now();
    world.grant(ID, 10);
    for (let i = 0; i < 20 && !world.endedAt.has(ID); i++) {
      await world.run(3_000);
      world.elect(i % 2 === 0 ? two : one);
    }
    const took = (world.endedAt.get(ID) ?? Infinity) - from;
    assert.ok(took >= 10_000 && took <= 13_000, `after ${took} ms of 10 s, with a new leader each 3 s`);
  });

  it('a lease of up to 15 s that nobody keeps alive ends within its TTL and 3 s, whenever its leader dies', async () => {
    let longest = 0;
    for (const ttl of [2, 5, 10, 15]) {
      for (let death = 0; death < 1000 * ttl; death += ttl * 50) {
        const [world, one, two] = await led();
        const from = world.clock.now();
        world.grant(ID, ttl);
        await world.run(death);
        one.dead = true;
        await world.run(ELECTED_MS);
        world.elect(two);
        const took = await ends(world, from, 1000 * ttl + 3_000);
        assert.ok(took >= 1000 * ttl, `${took} ms of ${ttl} s, when its leader died after ${death} ms`);
        assert.ok(took <= 1000 * ttl + 3_000, `${took} ms of ${ttl} s, when its leader died after ${death} ms`);
        longest = Math.max(longest, took - 1000 * ttl);
      }
    }
    assert.ok(longest > 1_000, 'a death costs something');
  });

  it('nor do further deaths of leaders add to that, two seconds and a half apart', async () => {
    for (const ttl of [2, 5, 10, 15]) {
      for (let death = 0; death < 2_500; death += 100) {
        const world = new LeaseWorld();
        let [lead, next] = world.members;
        world.elect(lead);
        await world.run(1_000);
        const from = world.clock.now();
        world.grant(ID, ttl);
        await world.run(death);
        for (let n = 0; n < 2 * ttl && !world.endedAt.has(ID); n++) {
          lead.dead = true;
          await world.run(ELECTED_MS);
          world.elect(next);
          await world.run(500);
          lead.dead = false;
          world.heal(lead);
          await world.run(1_000);
          [lead, next] = [next, lead];
        }
        const took = await ends(world, from, 1000 * ttl + 3_000);
        const when = `with deaths after ${death} ms and each 2.5 s`;
        assert.ok(took >= 1000 * ttl && took <= 1000 * ttl + 3_000, `${took} ms of ${ttl} s, ${when}`);
      }
    }
  });

  it('a lease that is kept alive through any number of deaths stays, and is not shortened by them', async () => {
    for (const ttl of [2, 3, 10]) {
      const world = new LeaseWorld();
      let [lead, next] = world.members;
      world.elect(lead);
      await world.run(1_000);
      world.grant(ID, ttl);
      let renewedAt = world.clock.now();
      for (let n = 0; n < 30; n++) {
        for (let left = 1_000 + 130 * n; left > 0; left -= 50) {
          await world.run(50);
          if (world.clock.now() - renewedAt < (1000 * ttl) / 3) continue;
          renewedAt = world.clock.now();
          assert.equal(await world.keepAlive(lead, ID), ttl);
        }
        lead.dead = true;
        await world.run(ELECTED_MS);
        world.elect(next);
        const before = lead;
        [lead, next] = [next, lead];
        // What waited for a leader comes first.
        await world.run(900);
        renewedAt = world.clock.now();
        assert.equal(await world.keepAlive(lead, ID), ttl, `${ttl} s, after death ${n + 1}`);
        before.dead = false;
        world.heal(before);
      }
      assert.equal(world.endedAt.size, 0);
    }
  });

  it('a longer one ends within one and a half TTLs, whenever its leader dies', async () => {
    for (const ttl of [30, 120]) {
      for (const share of [0.1, 0.39, 0.41, 0.7, 0.99]) {
        const [world, one, two] = await led();
        const from = world.clock.now();
        world.grant(ID, ttl);
        await world.run(1000 * ttl * share);
        one.dead = true;
        await world.run(ELECTED_MS);
        world.elect(two);
        const took = await ends(world, from, 2_000 * ttl);
        assert.ok(took >= 1000 * ttl && took <= 1_500 * ttl, `${took} ms of ${ttl} s, when its leader died after ${share} of them`);
      }
    }
  });
});
